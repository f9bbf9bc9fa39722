import { knownHint } from '../../kernel/nearest.ts'
import type { Fault } from '../../kernel/problem.ts'
import { anyOf, type Reader } from '../../platform/db.ts'
import { CursorText, type Page, pageOf, readCursor } from '../../platform/wire.ts'
import { type Charge, checkCharges, isPerEvent, type PlanTerms, type Tier } from '../pricing/index.ts'
import { readCodes, readMeterCodes, refuseCode, unknownPlanAt } from './codes.ts'
import { BUILT_IN_METERS, type Meter } from './meter.ts'
import { type Addon, chargeOf, type ChargeRow, type Plan, type PlanVersion } from './plan.ts'
import { planNotPublished, unknownAddon, unknownPlan } from './problems.ts'

type Listed<T> = { data: T[]; next_cursor: string | null }

/** The terms of plan versions, by version id, in two statements. Ids that do not exist are not in the map. */
export async function readPlanTerms(
  reader: Reader,
  plan_version_ids: readonly string[],
): Promise<Map<string, PlanTerms>> {
  const versions = await reader
    .selectFrom('catalog.plan_version as v')
    .innerJoin('catalog.plan as p', 'p.code', 'v.plan_code')
    .select(['v.id', 'v.plan_code as code', 'v.version', 'p.name', 'v.currency', 'v.interval', 'v.base_price_cents'])
    .select(['v.proration', 'v.commitment_cents'])
    .where('v.id', '=', anyOf(plan_version_ids))
    .execute()
  const charges = await readCharges(reader, plan_version_ids)
  return new Map(versions.map(({ id, ...terms }) => [id, { ...terms, charges: charges.get(id) ?? [] }]))
}

export type SoldVersion = { id: string; code: string; version: number; currency: string }

/** Where the caller has named a plan and its version, for the faults of a refusal. */
const NAMED_AT = { code: 'plan_code', version: 'plan_version' }

/**
 * The version that is sold under a plan code: the given one, or else the latest published. Throws
 * `catalog/unknown-plan` or, for a draft or retired version, `catalog/plan-not-published`. Without `drafts`, a draft is
 * as unknown as what does not exist.
 */
export async function findPublishedVersion(
  reader: Reader,
  { code, version, drafts = true }: { code: string; version?: number | undefined; drafts?: boolean },
  at: { code: string; version: string } = NAMED_AT,
): Promise<SoldVersion> {
  const rows = await reader
    .selectFrom('catalog.plan as p')
    .leftJoin('catalog.plan_version as v', 'v.plan_code', 'p.code')
    .select(['p.code', 'v.id', 'v.version', 'v.currency', 'v.status'])
    .where('p.code', '=', code)
    .orderBy('v.version', 'desc')
    .execute()
  const versions = drafts ? rows : rows.filter((row) => row.status !== null && row.status !== 'draft')
  if (versions.length === 0) {
    throw await unknownPlanAt(at.code, code, { reader, drafts })
  }
  const named = versions.filter((row) => version === undefined || row.version === version)
  if (named.length === 0) {
    const fault = { path: at.version, message: `plan ${code} has no version ${version}` }
    throw unknownPlan(`GET /plans/${code} lists the versions.`, [fault])
  }
  const sold = named.find((row) => row.status === 'published')
  if (!sold || sold.id === null || sold.version === null || sold.currency === null) {
    const fault =
      version === undefined
        ? { path: at.code, message: `plan ${code} has no published version` }
        : { path: at.version, message: `version ${version} of plan ${code} is ${named[0]?.status}, not published` }
    const [latest] = named
    const advice =
      latest?.status === 'draft'
        ? `Publish it first: POST /plans/${code}/versions/${latest.version}/publish.`
        : `GET /plans/${code} lists the versions.`
    throw planNotPublished(`Only a published version is sold. ${advice}`, [fault])
  }
  return { id: sold.id, code: sold.code, version: sold.version, currency: sold.currency }
}

/**
 * Add-ons as they are sold today, in the order of `codes`. With `keep`, none is deleted before the transaction ends. Throws
 * `catalog/unknown-addon`, naming each by the path that the caller has named it at.
 */
export async function readAddons(
  reader: Reader,
  codes: readonly string[],
  {
    keep = false,
    pathOf = (index) => `addons/${index}/code`,
  }: { keep?: boolean; pathOf?: (index: number) => string } = {},
): Promise<Addon[]> {
  const rows = await reader
    .selectFrom('catalog.addon')
    .selectAll()
    .where('code', '=', anyOf(codes))
    .orderBy('code')
    .$if(keep, (query) => query.forKeyShare())
    .execute()
  const byCode = new Map(rows.map((row) => [row.code, row]))
  if (codes.some((code) => !byCode.has(code))) {
    const known = await readCodes(reader, 'addon')
    const faults = codes.flatMap((code, index): Fault[] =>
      byCode.has(code) ? [] : [{ path: pathOf(index), message: `there is no add-on ${code}${knownHint(code, known)}` }],
    )
    throw unknownAddon('GET /addons lists the add-ons.', faults)
  }
  return codes.flatMap((code) => byCode.get(code) ?? [])
}

/**
 * Every mistake in the amounts and charges of a plan, by its path: what cannot be rated, and meters nobody knows. With
 * `keep_meters` those that are known stay until the transaction ends.
 */
export async function planFaults(
  reader: Reader,
  plan: Pick<PlanTerms, 'currency' | 'charges'> & Partial<Pick<PlanTerms, 'base_price_cents' | 'commitment_cents'>>,
  { keep_meters = false }: { keep_meters?: boolean } = {},
): Promise<Fault[]> {
  const named = plan.charges.map(({ meter }) => meter)
  const registered = await readMeters(reader, named, { keep: keep_meters })
  const aggregations = new Map([...BUILT_IN_METERS, ...registered].map((meter) => [meter.code, meter.aggregation]))
  const isUnknown = plan.charges.some(({ meter }) => !aggregations.has(meter))
  const known = isUnknown ? await readMeterCodes(reader) : []
  return [
    ...checkCharges(plan, aggregations),
    ...plan.charges.flatMap(({ meter }, index): Fault[] =>
      aggregations.has(meter)
        ? []
        : [{ path: `charges/${index}/meter`, message: `there is no meter ${meter}${knownHint(meter, known)}` }],
    ),
    ...plan.charges.flatMap(builtInFaults),
  ]
}

/** What the program measures itself are hours of resources, and no events with properties. */
function builtInFaults(charge: Charge, index: number): Fault[] {
  const { meter, filter } = charge
  const path = `charges/${index}`
  if (!BUILT_IN_METERS.some(({ code }) => code === meter)) return []
  return [
    ...(filter === undefined || filter === null
      ? []
      : [{ path: `${path}/filter`, message: `must not be given: ${meter} has no properties` }]),
    ...(isPerEvent(charge)
      ? [{ path: `${path}/meter`, message: `must be a sum or a count of events; ${meter} has none` }]
      : []),
  ]
}

/** The meters among `codes` that exist; with `keep`, none is deleted before the transaction ends. */
export async function readMeters(
  reader: Reader,
  codes: readonly string[],
  { keep = false }: { keep?: boolean } = {},
): Promise<Meter[]> {
  return reader
    .selectFrom('catalog.meter')
    .selectAll()
    .where('code', '=', anyOf(codes))
    .orderBy('code')
    .$if(keep, (query) => query.forKeyShare())
    .execute()
}

export async function listMeters(reader: Reader, page: Page): Promise<Listed<Meter>> {
  const [after = ''] = readCursor(page.cursor, [CursorText]) ?? []
  const rows = await reader
    .selectFrom('catalog.meter')
    .selectAll()
    .where('code', '>', after)
    .orderBy('code')
    .limit(page.limit + 1)
    .execute()
  return pageOf(rows, page.limit, (row) => [row.code])
}

export async function listAddons(reader: Reader, page: Page): Promise<Listed<Addon>> {
  const [after = ''] = readCursor(page.cursor, [CursorText]) ?? []
  const rows = await reader
    .selectFrom('catalog.addon')
    .selectAll()
    .where('code', '>', after)
    .orderBy('code')
    .limit(page.limit + 1)
    .execute()
  return pageOf(rows, page.limit, (row) => [row.code])
}

/** Plans by code, each with its latest published version. Without `drafts`, only plans that have one. */
export async function listPlans(
  reader: Reader,
  { limit, cursor, drafts }: Page & { drafts: boolean },
): Promise<Listed<Plan & { latest_version: number | null }>> {
  const [after = ''] = readCursor(cursor, [CursorText]) ?? []
  const rows = await reader
    .selectFrom('catalog.plan as p')
    .leftJoin('catalog.plan_version as v', (join) =>
      join.onRef('v.plan_code', '=', 'p.code').on('v.status', '=', 'published'),
    )
    .selectAll('p')
    .select(({ fn }) => fn.max<number | null>('v.version').as('latest_version'))
    .where('p.code', '>', after)
    .$if(!drafts, (query) => query.where('v.id', 'is not', null))
    .groupBy('p.code')
    .orderBy('p.code')
    .limit(limit + 1)
    .execute()
  return pageOf(rows, limit, (row) => [row.code])
}

/** A plan with its versions, the latest first. Without `drafts`, it is unknown until a version is published. */
export async function readPlan(
  reader: Reader,
  code: string,
  { drafts }: { drafts: boolean },
): Promise<Plan & { versions: PlanVersion[] }> {
  const plan = await reader.selectFrom('catalog.plan').selectAll().where('code', '=', code).executeTakeFirst()
  const versions = await reader
    .selectFrom('catalog.plan_version')
    .selectAll()
    .where('plan_code', '=', code)
    .$if(!drafts, (query) => query.where('status', '<>', 'draft'))
    .orderBy('version', 'desc')
    .execute()
  const charges = await readCharges(
    reader,
    versions.map((row) => row.id),
  )
  const visible = plan !== undefined && (drafts || versions.length > 0) ? plan : undefined
  return {
    ...(visible ?? (await refuseCode('plan', code, { reader, drafts }))),
    versions: versions.map((row) => ({ ...row, charges: charges.get(row.id) ?? [] })),
  }
}

export async function readCharges(reader: Reader, plan_version_ids: readonly string[]): Promise<Map<string, Charge[]>> {
  const rows = await reader
    .selectFrom('catalog.charge')
    .selectAll()
    // Written by chargeRow only, from charges that the schema or the check has passed.
    .$narrowType<{ tiers: Tier[] | null; filter: Record<string, string[]> | null }>()
    .where('plan_version_id', '=', anyOf(plan_version_ids))
    .orderBy('plan_version_id')
    .orderBy('position')
    .execute()
  const byVersion = Map.groupBy<string, ChargeRow>(rows, (row) => row.plan_version_id)
  return new Map([...byVersion].map(([id, charges]) => [id, charges.map(chargeOf)]))
}
