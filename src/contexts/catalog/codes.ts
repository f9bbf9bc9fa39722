import { sql } from 'kysely'
import { knownHint, stopped } from '../../kernel/nearest.ts'
import { notFound, type Problem } from '../../kernel/problem.ts'
import type { Reader } from '../../platform/db.ts'
import { BUILT_IN_METERS } from './meter.ts'
import { unknownPlan } from './problems.ts'

// Refusals of a code that nothing has, with the one that was meant.

type Drafts = { drafts?: boolean }

/** What is sold has no more codes; of those beyond it none is the nearest. */
const CODES_READ_MAX = 1_000
const CALLED = { plan: 'plan', addon: 'add-on', meter: 'meter' } as const

/** Of a body. Without `drafts`, plans that were never published are unknown. */
export async function unknownPlanAt(
  path: string,
  code: string,
  { reader, drafts = true }: Drafts & { reader: Reader },
): Promise<Problem> {
  const hint = knownHint(code, await readCodes(reader, 'plan', { drafts }))
  return unknownPlan('GET /plans lists the plans.', [{ path, message: `there is no plan ${code}${hint}` }])
}

/** Of a path. Throws 404. */
export async function refuseCode(
  of: keyof typeof CALLED,
  code: string,
  { reader, drafts = true }: Drafts & { reader: Reader },
): Promise<never> {
  const hint = knownHint(code, await readCodes(reader, of, { drafts }))
  throw notFound(stopped(`No such ${CALLED[of]}: ${code}${hint}`))
}

/** Of the meters that a plan can name. */
export async function readMeterCodes(reader: Reader): Promise<string[]> {
  return [...BUILT_IN_METERS.map(({ code }) => code), ...(await readCodes(reader, 'meter'))]
}

/** Those that are stored; meters that are built in are not. */
export async function readCodes(
  reader: Reader,
  of: keyof typeof CALLED,
  { drafts = true }: Drafts = {},
): Promise<string[]> {
  const { rows } = await sql<{ code: string }>`
    select code from ${sql.table(`catalog.${of}`)} named
    where ${drafts} or exists (
      select from catalog.plan_version version where version.plan_code = named.code and version.status <> 'draft'
    )
    order by code limit ${CODES_READ_MAX}`.execute(reader)
  return rows.map(({ code }) => code)
}
