import { type ContextTx, insertRows } from '../../platform/db.ts'
import { found, requireCurrency } from '../../platform/wire.ts'
import { present } from '../../kernel/invariant.ts'
import { type Fault, invalidInput } from '../../kernel/problem.ts'
import { checkCharges } from '../pricing/index.ts'
import { BUILT_IN_METERS, countsAlike, type Meter, type NewMeter } from './meter.ts'
import { type Addon, chargeRow, type NewPlanVersion, type Plan, planTermsOf, type PlanVersion } from './plan.ts'
import { addonExists, meterDiffers, notPublishable, planExists, unknownMeter } from './problems.ts'
import { readCharges, readMeters } from './queries.ts'

type Tx = ContextTx<'catalog'>
type Now = { now: Temporal.Instant }

/** Registers a meter; again with the same definition is a success. Throws `catalog/meter-differs`. */
export async function registerMeter(
  tx: Tx,
  meter: NewMeter,
  { now }: Now,
): Promise<{ meter: Meter; created: boolean }> {
  requireUniqueProperty(meter)
  const built_in = BUILT_IN_METERS.find((one) => one.code === meter.code)
  requireAlike(meter, built_in ?? meter)
  const rows = [{ unique_property: null, ...meter, created_at: now }]
  const inserted = await insertRows(tx, 'catalog.meter', rows, { on_conflict: 'do nothing' })
  const [stored] = await readMeters(tx, [meter.code])
  const registered = present(stored, 'a meter is there once it is registered')
  requireAlike(meter, registered)
  return { meter: registered, created: inserted === 1 }
}

/** A meter that counts distinct values says of what, and no other one does. */
function requireUniqueProperty({ aggregation, unique_property = null }: NewMeter): void {
  const needed = aggregation === 'unique_count'
  if (needed === (unique_property !== null)) return
  throw invalidInput('The request is not valid.', [
    { path: 'unique_property', message: needed ? 'is required' : 'is for the aggregation unique_count only' },
  ])
}

function requireAlike(meter: NewMeter, defined: NewMeter): void {
  if (countsAlike(meter, defined)) return
  throw meterDiffers(`Meter ${meter.code} has the aggregation ${defined.aggregation}. Choose another code.`)
}

export type NewAddon = Pick<Addon, 'code' | 'name' | 'currency' | 'quantity'> &
  Partial<Pick<Addon, 'unit' | 'grants_meter'>> & { price_cents: number }

/** Throws `catalog/addon-exists`, `catalog/unknown-meter`, and `request/invalid` for an unknown currency. */
export async function createAddon(tx: Tx, addon: NewAddon, { now }: Now): Promise<Addon> {
  requireCurrency(addon.currency, 'currency')
  const meter = addon.grants_meter ?? null
  await requireMeters(tx, meter === null ? [] : [{ meter, path: 'grants_meter' }], { now })
  const taken = await tx.selectFrom('catalog.addon').select('code').where('code', '=', addon.code).executeTakeFirst()
  if (taken) throw addonExists(`There is an add-on ${addon.code} already. Choose another code.`)
  return tx
    .insertInto('catalog.addon')
    .values({ ...addon, created_at: now })
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** Throws `catalog/plan-exists`. */
export async function createPlan(tx: Tx, { code, name }: { code: string; name: string }, { now }: Now): Promise<Plan> {
  const taken = await tx.selectFrom('catalog.plan').select('code').where('code', '=', code).executeTakeFirst()
  if (taken) throw planExists(`There is a plan ${code} already. Add a version to it, or choose another code.`)
  return tx.insertInto('catalog.plan').values({ code, name, created_at: now }).returningAll().executeTakeFirstOrThrow()
}

/** Adds a draft with the next number. Throws 404 for the plan and `catalog/unknown-meter`. */
export async function createPlanVersion(
  tx: Tx,
  { plan_code, given }: { plan_code: string; given: NewPlanVersion },
  { now, id }: Now & { id: string },
): Promise<PlanVersion> {
  requireCurrency(given.currency, 'currency')
  // The lock on the plan numbers the versions one after the other.
  const plan = tx.selectFrom('catalog.plan').select('code').where('code', '=', plan_code).forUpdate()
  found(await plan.executeTakeFirst(), 'plan')
  const last = await tx
    .selectFrom('catalog.plan_version')
    .select(({ fn }) => fn.max<number | null>('version').as('version'))
    .where('plan_code', '=', plan_code)
    .executeTakeFirst()
  const { currency, interval, base_price_cents, proration, charges } = planTermsOf(given)
  const used = charges.map(({ meter }, index) => ({ meter, path: `charges/${index}/meter` }))
  await requireMeters(tx, used, { now })
  const version = await tx
    .insertInto('catalog.plan_version')
    .values({
      id,
      plan_code,
      version: (last?.version ?? 0) + 1,
      status: 'draft',
      currency,
      interval,
      base_price_cents,
      proration,
      created_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  const rows = charges.map((charge, position) => chargeRow(charge, { plan_version_id: id, position }))
  await insertRows(tx, 'catalog.charge', rows)
  return { ...version, charges }
}

/** Publishes a draft; a published version is answered as it is. Throws 404 and `catalog/not-publishable`. */
export async function publishPlanVersion(
  tx: Tx,
  { plan_code, version }: { plan_code: string; version: number },
  { now }: Now,
): Promise<PlanVersion> {
  const query = tx
    .selectFrom('catalog.plan_version')
    .selectAll()
    .where('plan_code', '=', plan_code)
    .where('version', '=', version)
    .forUpdate()
  const draft = found(await query.executeTakeFirst(), 'plan version')
  const charges = (await readCharges(tx, [draft.id])).get(draft.id) ?? []
  if (draft.status !== 'draft') return { ...draft, charges }
  const faults = checkCharges({ currency: draft.currency, charges })
  if (faults.length > 0) throw notPublishable('Add a version without these faults and publish that one.', faults)
  const published = await tx
    .updateTable('catalog.plan_version')
    .set({ status: 'published', published_at: now })
    .where('id', '=', draft.id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return { ...published, charges }
}

/** Built-in meters come into being when they are first used. Throws `catalog/unknown-meter`, naming each. */
async function requireMeters(tx: Tx, used: readonly { meter: string; path: string }[], { now }: Now): Promise<void> {
  const codes = used.map((one) => one.meter)
  const built_in = BUILT_IN_METERS.filter((meter) => codes.includes(meter.code))
  await insertRows(
    tx,
    'catalog.meter',
    built_in.map((meter) => ({ ...meter, created_at: now })),
    { on_conflict: 'do nothing' },
  )
  const known = new Set((await readMeters(tx, codes)).map((meter) => meter.code))
  const faults = used.flatMap(({ meter, path }): Fault[] =>
    known.has(meter) ? [] : [{ path, message: `there is no meter ${meter}` }],
  )
  if (faults.length > 0) throw unknownMeter('Register the meter first, with POST /meters.', faults)
}
