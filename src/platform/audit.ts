import { type RawBuilder, sql } from 'kysely'
import { Type } from 'typebox'
import type { Reader } from './db.ts'
import type { Edge } from './edge.ts'
import type { Job } from './jobs.ts'

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
