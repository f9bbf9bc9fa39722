import type { ContextTx } from '../../platform/db.ts'
import { type Act, recordEvent } from '../events/index.ts'
import { subjectOf } from './commands.ts'
import { lockAddon, lockMeter, lockPlan, lockVersion, type NamedVersion } from './lock.ts'
import { inUse, versionPublished } from './problems.ts'
import { readCharges } from './queries.ts'
import { usesOfAddon, usesOfMeter, usesOfPlan } from './uses.ts'

// What was entered by mistake goes again, as long as nothing was sold, counted or billed by it.

type Tx = ContextTx<'catalog'>
type Named = { code: string; reason: string | null }

/** Deletes a plan with all its versions. Throws 404 and, once anybody has had it, `catalog/in-use`. */
export async function deletePlan(tx: Tx, { code, reason }: Named, act: Act): Promise<void> {
  const plan = await lockPlan(tx, code)
  const versions = await tx
    .selectFrom('catalog.plan_version')
    .selectAll()
    .where('plan_code', '=', code)
    .orderBy('version')
    .forUpdate()
    .execute()
  refuse(`plan ${code}`, await usesOfPlan(tx, code))
  const charges = await readCharges(
    tx,
    versions.map(({ id }) => id),
  )
  const was = { ...plan, versions: versions.map((version) => ({ ...version, charges: charges.get(version.id) ?? [] })) }
  await recordEvent(tx, { type: 'plan.deleted', ...subjectOf('plan', code), reason, data: { was } }, act)
  await tx.deleteFrom('catalog.plan').where('code', '=', code).execute()
}

/** Deletes a draft. Throws 404 and, once it was published, `catalog/version-published`. */
export async function deletePlanVersion(
  tx: Tx,
  { reason, ...named }: NamedVersion & { reason: string | null },
  act: Act,
): Promise<void> {
  const { plan_code, version } = named
  const stored = await lockVersion(tx, named)
  if (stored.status !== 'draft') {
    throw versionPublished(
      `Version ${version} of plan ${plan_code} is ${stored.status}. Retire it, or delete the plan.`,
      [{ path: 'version', message: `is ${stored.status}, not a draft` }],
    )
  }
  const was = { ...stored, charges: (await readCharges(tx, [stored.id])).get(stored.id) ?? [] }
  const subject = subjectOf('plan', plan_code)
  await recordEvent(tx, { type: 'plan_version.deleted', ...subject, reason, data: { was } }, act)
  await tx.deleteFrom('catalog.plan_version').where('id', '=', stored.id).execute()
}

/** Throws 404 and `catalog/in-use`. */
export async function deleteMeter(tx: Tx, { code, reason }: Named, act: Act): Promise<void> {
  const was = await lockMeter(tx, code)
  refuse(`meter ${code}`, await usesOfMeter(tx, code))
  await recordEvent(tx, { type: 'meter.deleted', ...subjectOf('meter', code), reason, data: { was } }, act)
  await tx.deleteFrom('catalog.meter').where('code', '=', code).execute()
}

/** Throws 404 and, once it was attached to a subscription, `catalog/in-use`. */
export async function deleteAddon(tx: Tx, { code, reason }: Named, act: Act): Promise<void> {
  const was = await lockAddon(tx, code)
  refuse(`add-on ${code}`, await usesOfAddon(tx, code))
  await recordEvent(tx, { type: 'addon.deleted', ...subjectOf('addon', code), reason, data: { was } }, act)
  await tx.deleteFrom('catalog.addon').where('code', '=', code).execute()
}

function refuse(what: string, uses: readonly string[]): void {
  if (uses.length === 0) return
  throw inUse(
    `${what} is used by ${uses.join(', ')}. What was sold, counted or billed by it stays as it is.`,
    uses.map((use) => ({ path: 'code', message: `is used by ${use}` })),
  )
}
