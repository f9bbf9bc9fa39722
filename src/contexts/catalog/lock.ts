import type { ContextTx } from '../../platform/db.ts'
import { found } from '../../platform/wire.ts'
import { refuseCode } from './codes.ts'
import type { Meter } from './meter.ts'
import type { Addon, Plan, PlanVersion } from './plan.ts'

// Each throws 404.

type Tx = ContextTx<'catalog'>
export type NamedVersion = { plan_code: string; version: number }

export async function lockPlan(tx: Tx, code: string): Promise<Plan> {
  const query = tx.selectFrom('catalog.plan').selectAll().where('code', '=', code).forUpdate()
  return (await query.executeTakeFirst()) ?? refuseCode('plan', code, { reader: tx })
}

export async function lockVersion(tx: Tx, { plan_code, version }: NamedVersion): Promise<Omit<PlanVersion, 'charges'>> {
  const query = tx
    .selectFrom('catalog.plan_version')
    .selectAll()
    .where('plan_code', '=', plan_code)
    .where('version', '=', version)
    .forUpdate()
  return found(await query.executeTakeFirst(), `plan version: ${version} of ${plan_code}`)
}

export async function lockMeter(tx: Tx, code: string): Promise<Meter> {
  const query = tx.selectFrom('catalog.meter').selectAll().where('code', '=', code).forUpdate()
  return (await query.executeTakeFirst()) ?? refuseCode('meter', code, { reader: tx })
}

export async function lockAddon(tx: Tx, code: string): Promise<Addon> {
  const query = tx.selectFrom('catalog.addon').selectAll().where('code', '=', code).forUpdate()
  return (await query.executeTakeFirst()) ?? refuseCode('addon', code, { reader: tx })
}
