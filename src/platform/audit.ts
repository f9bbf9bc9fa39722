import { type RawBuilder, sql } from 'kysely'
import { Type } from 'typebox'
import type { Reader } from './db.ts'
import type { Edge } from './edge.ts'
import type { App } from './http.ts'
import type { Job } from './jobs.ts'
import { Data } from './wire.ts'

/** Something that must hold over everything stored. The query finds what breaks it. */
export type Invariant = {
  /** Stable, such as `costs.bills-conserve-money`. */
  readonly name: string
  readonly promise: string
  /** A select of (subject text, detail text). */
  readonly violations: RawBuilder<Violation>
}

export type Violation = { subject: string; detail: string }
export type Finding = { name: string; promise: string; ok: boolean; violations: Violation[] }

const VIOLATIONS_SHOWN_MAX = 20

/** Checks each invariant in turn; shows at most 20 violations of each. */
export async function runAudit(
  reader: Reader,
  invariants: readonly Invariant[],
  on_finding: (finding: Finding) => void = () => {},
): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { name, promise, violations } of invariants) {
    const { rows } = await sql<Violation>`select * from (${violations}) broken limit ${VIOLATIONS_SHOWN_MAX}`.execute(
      reader,
    )
    const finding = { name, promise, ok: rows.length === 0, violations: rows }
    findings.push(finding)
    on_finding(finding)
  }
  return findings
}

/** `GET /audit`: what `arcadia audit` says. */
export const auditRoutes =
  (edge: Edge, invariants: readonly Invariant[]) =>
  (app: App): void => {
    app.get(
      '/audit',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['operations'],
          summary: `Proves the invariants over everything stored; shows at most ${VIOLATIONS_SHOWN_MAX} violations of each`,
          response: { 200: Data(AuditOut) },
        },
      },
      async (request) => {
        let checked = 0
        const findings = await runAudit(edge.db.read, invariants, () =>
          request.progress((checked += 1), invariants.length),
        )
        return { data: { ok: findings.every(({ ok }) => ok), invariants: findings } }
      },
    )
  }

const AuditOut = Type.Object({
  ok: Type.Boolean(),
  invariants: Type.Array(
    Type.Object({
      name: Type.String(),
      promise: Type.String(),
      ok: Type.Boolean(),
      violations: Type.Array(Type.Object({ subject: Type.String(), detail: Type.String() })),
    }),
  ),
})

/** Daily: the outcome stands in the last runs, and a broken invariant fails the run. */
export function auditJob(edge: Edge, invariants: readonly Invariant[]): Job {
  return {
    name: 'platform.audit',
    payload: Type.Object({}),
    schedule: '11 4 * * *',
    retry_limit: 0,
    handle: async () => {
      const broken = (await runAudit(edge.db.read, invariants)).filter((finding) => !finding.ok)
      if (broken.length > 0)
        throw new Error(`broken: ${broken.map((finding) => finding.name).join(', ')}. Run: arcadia audit`)
      return { outcome: 'done', detail: `${invariants.length} invariants hold` }
    },
  }
}
