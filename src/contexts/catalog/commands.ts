import { isDeepStrictEqual } from 'node:util'
import { type ContextTx, insertRows } from '../../platform/db.ts'
import { requireCurrency } from '../../platform/wire.ts'
import { present } from '../../kernel/invariant.ts'
import { knownHint } from '../../kernel/nearest.ts'
import { invalidInput } from '../../kernel/problem.ts'
import { type Act, recordEvent } from '../events/index.ts'
import type { Charge } from '../pricing/index.ts'
import { readMeterCodes } from './codes.ts'
import { lockAddon, lockMeter, lockPlan, lockVersion, type NamedVersion } from './lock.ts'
import { BUILT_IN_METERS, countsAlike, type Meter, type NewMeter } from './meter.ts'
import { type Addon, chargeRow, type NewPlanVersion, type Plan, planTermsOf, type PlanVersion } from './plan.ts'
import {
  addonExists,
  meterDiffers,
  notPublishable,
  planExists,
  unknownMeter,
  versionDraft,
  versionPublished,
  versionRetired,
} from './problems.ts'
import { planFaults, readCharges, readMeters } from './queries.ts'

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
  if (meter !== null) await requireMeter(tx, meter, { now })
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

/** Gives a plan another name. Invoices that are issued keep the one they were issued with. Throws 404. */
export async function renamePlan(tx: Tx, { code, name, reason }: Rename, act: Act): Promise<void> {
  const plan = await lockPlan(tx, code)
  if (name === plan.name) return
  await recordEvent(tx, { type: 'plan.renamed', ...subjectOf('plan', code), reason, data: renaming(plan, name) }, act)
  await tx.updateTable('catalog.plan').set({ name }).where('code', '=', code).execute()
}

/** Gives a meter another name; what it counts stays. Throws 404. */
export async function renameMeter(tx: Tx, { code, name, reason }: Rename, act: Act): Promise<Meter> {
  const meter = await lockMeter(tx, code)
  if (name === meter.name) return meter
  await recordEvent(
    tx,
    { type: 'meter.renamed', ...subjectOf('meter', code), reason, data: renaming(meter, name) },
    act,
  )
  return tx.updateTable('catalog.meter').set({ name }).where('code', '=', code).returningAll().executeTakeFirstOrThrow()
}

export type AddonChanges = Partial<Pick<Addon, 'name' | 'quantity' | 'unit'>> & { price_cents?: number }

/** Changes what the add-on is sold as from now on; what is attached keeps its terms. Throws 404. */
export async function updateAddon(
  tx: Tx,
  { code, changes, reason }: { code: string; changes: AddonChanges; reason: string | null },
  act: Act,
): Promise<Addon> {
  const was = await lockAddon(tx, code)
  if (Object.keys(changes).length === 0) return was
  const update = tx.updateTable('catalog.addon').set(changes).where('code', '=', code).returningAll()
  const addon = await update.executeTakeFirstOrThrow()
  if (isDeepStrictEqual(was, addon)) return addon
  await recordEvent(tx, { type: 'addon.changed', ...subjectOf('addon', code), reason, data: { was, changes } }, act)
  return addon
}

/** Adds a draft with the next number. A draft may be wrong: publishing says in what. Throws 404 for the plan. */
export async function createPlanVersion(
  tx: Tx,
  { plan_code, given }: { plan_code: string; given: NewPlanVersion },
  { now, id }: Now & { id: string },
): Promise<PlanVersion> {
  // The lock on the plan numbers the versions one after the other.
  await lockPlan(tx, plan_code)
  const last = await tx
    .selectFrom('catalog.plan_version')
    .select(({ fn }) => fn.max<number | null>('version').as('version'))
    .where('plan_code', '=', plan_code)
    .executeTakeFirst()
  const { charges, ...terms } = versionTermsOf(given)
  const version = await tx
    .insertInto('catalog.plan_version')
    .values({ ...terms, id, plan_code, version: (last?.version ?? 0) + 1, status: 'draft', created_at: now })
    .returningAll()
    .executeTakeFirstOrThrow()
  return { ...version, charges: await storeCharges(tx, { id, charges }, { now }) }
}

/** Replaces all that a draft says. Throws 404 and, once it is published, `catalog/version-published`. */
export async function replacePlanVersion(
  tx: Tx,
  { given, ...named }: NamedVersion & { given: NewPlanVersion },
  { now }: Now,
): Promise<PlanVersion> {
  const { id, status } = await lockVersion(tx, named)
  if (status !== 'draft')
    throw versionPublished(
      `This version is ${status} and never changes. Add a new one: POST /plans/${named.plan_code}/versions.`,
    )
  const { charges, ...terms } = versionTermsOf(given)
  await tx.deleteFrom('catalog.charge').where('plan_version_id', '=', id).execute()
  const version = await storeVersion(tx, id, terms)
  return { ...version, charges: await storeCharges(tx, { id, charges }, { now }) }
}

/**
 * Publishes a draft; a published version is answered as it is. Throws 404, `catalog/version-retired` and
 * `catalog/not-publishable`, which names every mistake by its path.
 */
export async function publishPlanVersion(tx: Tx, named: NamedVersion, { now }: Now): Promise<PlanVersion> {
  const draft = await lockVersion(tx, named)
  if (draft.status === 'retired') throw versionRetired('Add a version with the same terms and publish that one.')
  const charges = (await readCharges(tx, [draft.id])).get(draft.id) ?? []
  if (draft.status === 'published') return { ...draft, charges }
  const faults = await planFaults(tx, { ...draft, charges }, { keep_meters: true })
  if (faults.length > 0) throw notPublishable('Replace the draft with one that has none of these faults.', faults)
  return { ...(await storeVersion(tx, draft.id, { status: 'published', published_at: now })), charges }
}

/**
 * Takes a published version off the market; who has it keeps it. A retired one is answered as it is. Throws 404 and
 * `catalog/version-draft`.
 */
export async function retirePlanVersion(tx: Tx, named: NamedVersion, { now }: Now): Promise<PlanVersion> {
  const version = await lockVersion(tx, named)
  if (version.status === 'draft') throw versionDraft('A draft is not for sale. Replace it, or leave it as it is.')
  const charges = (await readCharges(tx, [version.id])).get(version.id) ?? []
  if (version.status === 'retired') return { ...version, charges }
  return { ...(await storeVersion(tx, version.id, { status: 'retired', retired_at: now })), charges }
}

/** Only the name is to be changed. */
export type Rename = { code: string; name: string; reason: string | null }

/** What is about the catalogue is the operator's. */
export function subjectOf(kind: 'plan' | 'meter' | 'addon', id: string) {
  return { tenant_id: null, subject: { kind, id } }
}

function renaming({ name: was }: { name: string }, name: string) {
  return { was: { name: was }, changes: { name } }
}

function versionTermsOf(given: NewPlanVersion) {
  const { currency, interval, base_price_cents, proration, commitment_cents, charges } = planTermsOf(given)
  return { currency, interval, base_price_cents, proration, commitment_cents, charges }
}

async function storeVersion(
  tx: Tx,
  id: string,
  changes: Partial<Omit<PlanVersion, 'charges'>>,
): Promise<Omit<PlanVersion, 'charges'>> {
  return tx
    .updateTable('catalog.plan_version')
    .set(changes)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** Built-in meters come into being when a charge first names them. */
async function storeCharges(
  tx: Tx,
  { id, charges }: { id: string; charges: readonly Charge[] },
  { now }: Now,
): Promise<readonly Charge[]> {
  await addBuiltIn(
    tx,
    charges.map(({ meter }) => meter),
    { now },
  )
  const rows = charges.map((charge, position) => chargeRow(charge, { plan_version_id: id, position }))
  await insertRows(tx, 'catalog.charge', rows)
  return charges
}

/** Throws `catalog/unknown-meter`. */
async function requireMeter(tx: Tx, code: string, { now }: Now): Promise<void> {
  await addBuiltIn(tx, [code], { now })
  const [known] = await readMeters(tx, [code])
  if (known !== undefined) return
  const hint = knownHint(code, await readMeterCodes(tx))
  throw unknownMeter('Register the meter first, with POST /meters.', [
    { path: 'grants_meter', message: `there is no meter ${code}${hint}` },
  ])
}

async function addBuiltIn(tx: Tx, codes: readonly string[], { now }: Now): Promise<void> {
  const built_in = BUILT_IN_METERS.filter((meter) => codes.includes(meter.code))
  await insertRows(
    tx,
    'catalog.meter',
    built_in.map((meter) => ({ ...meter, created_at: now })),
    { on_conflict: 'do nothing' },
  )
}
