import { type RawBuilder, sql } from 'kysely'
import { minorUnitPlaces } from '../../kernel/money.ts'
import { type ContextTx, jsonb } from '../../platform/db.ts'

/**
 * Leaves the lines (`lines` selects their ids) with exactly the shares that `parts` gives, and writes only those that are
 * new. `parts` selects, of any of these lines: `cost_line_id`, the line's `amount` and `currency`, and for each share of
 * it `place`, `tenant_id`, `deployment_id` and a `weight` above 0.
 */
export async function storeShares(
  tx: ContextTx<'costs'>,
  { lines, parts }: { lines: RawBuilder<unknown>; parts: RawBuilder<unknown> },
): Promise<void> {
  const bills = await tx.selectFrom('costs.provider_invoice').select('currency').distinct().execute()
  const currencies = bills.map(({ currency }) => currency)
  await sql`drop table if exists pg_temp.given_share, pg_temp.stored_share`.execute(tx)
  await sql`
    create temporary table given_share on commit drop as
    select cost_line_id, tenant_id, deployment_id, amount, weight from (${splitAmounts(parts, currencies)}) s`.execute(
    tx,
  )
  await sql`
    create temporary table stored_share on commit drop as
    select cost_line_id, tenant_id, deployment_id, amount, weight from costs.line_share
    where cost_line_id in (${lines})`.execute(tx)
  // With both, no plan compares all shares with all others, whatever the planner knows of a table that has just been filled.
  for (const table of ['given_share', 'stored_share']) {
    await sql`create index on ${sql.table(`pg_temp.${table}`)} (cost_line_id)`.execute(tx)
    await sql`analyze ${sql.table(`pg_temp.${table}`)}`.execute(tx)
  }
  await sql`
    delete from costs.line_share s using pg_temp.stored_share o
    where ${isSameShare('s', 'o')} and not exists (
      select from pg_temp.given_share g
      where ${isSameShare('g', 'o')} and g.amount = o.amount and g.weight is not distinct from o.weight
    )`.execute(tx)
  // Not by `on conflict`, which locks, and so writes, every share that stays as it is.
  await sql`
    insert into costs.line_share (cost_line_id, tenant_id, deployment_id, amount, weight)
    select cost_line_id, tenant_id, deployment_id, amount, weight from pg_temp.given_share g
    where not exists (
      select from pg_temp.stored_share o
      where ${isSameShare('g', 'o')} and g.amount = o.amount and g.weight is not distinct from o.weight
    )`.execute(tx)
}

function isSameShare(one: string, other: string): RawBuilder<unknown> {
  const [a, b] = [sql.ref(one), sql.ref(other)]
  return sql`
    ${a}.cost_line_id = ${b}.cost_line_id and ${a}.tenant_id = ${b}.tenant_id
    and ${a}.deployment_id = ${b}.deployment_id`
}

/** Where a statement that holds the ladder leaves the lines that it splits, with their `shares`, for `storeSplits`. */
export async function makeSplitTable(tx: ContextTx<'costs'>): Promise<void> {
  await sql`drop table if exists pg_temp.split_line`.execute(tx)
  await sql`
    create temporary table split_line (id uuid, amount numeric, currency text, shares jsonb) on commit drop`.execute(tx)
}

export async function storeSplits(tx: ContextTx<'costs'>): Promise<void> {
  await storeShares(tx, {
    lines: sql`select id from pg_temp.split_line`,
    parts: sql`
      select l.id as cost_line_id, l.amount, l.currency, s.place, s.tenant_id, s.deployment_id, s.weight
      from pg_temp.split_line l cross join lateral rows from (
        jsonb_to_recordset(l.shares) as (tenant_id text, deployment_id uuid, weight numeric)
      ) with ordinality s (tenant_id, deployment_id, weight, place)`,
  })
  await sql`truncate pg_temp.split_line`.execute(tx)
}

/**
 * The parts, each with the amount that its weight gives it: in minor units; where the line's amount is finer than that, in
 * its own last digit. They add up to the amount exactly: the kernel's `splitByLargestRemainder` in SQL, because a month
 * may have more shares than fit into memory.
 */
export function splitAmounts(parts: RawBuilder<unknown>, currencies: readonly string[]): RawBuilder<unknown> {
  const places = Object.fromEntries(currencies.map((currency) => [currency, minorUnitPlaces(currency)]))
  return sql`
    select cost_line_id, tenant_id, deployment_id, weight, trim_scale(sign(amount) * unit * (floor + case
      when row_number() over (partition by cost_line_id order by remainder desc, place) <= units - sum(floor) over line
      then 1 else 0
    end)) as amount
    from (
      select *, div(units * weight, total) as floor, mod(units * weight, total) as remainder
      from (
        select *, div(abs(amount), unit) as units, sum(weight) over (partition by cost_line_id) as total
        from (
          select p.*, ('1e-' || greatest(scale(trim_scale(p.amount)), (${jsonb(places)} ->> p.currency)::integer))::numeric as unit
          from (${parts}) p
        ) measured
      ) weighed
    ) divided
    window line as (partition by cost_line_id)`
}
