import { type RawBuilder, sql } from 'kysely'
import { anyOf, type ContextTx, type Reader } from '../../platform/db.ts'
import { allocateLines, winningRules } from './allocate-lines.ts'
import { ladder, prepareLadder, runLadder, TARGET_COLUMNS } from './ladder.ts'
import { makeSplitTable, storeSplits } from './line-shares.ts'
import { lockBills } from './lock.ts'
import { isOpenMonth } from './open-month.ts'

export type MatchScope = {
  /** The lines of these bills, also where their month is closed: for a bill that is being stored. */
  readonly provider_invoice_ids?: readonly string[]
  /** Only lines that name one of these, what belongs to it or a name that it bore, or that are matched to it. */
  readonly resource_ids?: readonly string[]
}

/**
 * Finds again whose cost each line is: by the ladder, then by the allocation rules. Lines of closed months stay as they
 * are, and so does what was assigned by hand. Only decisions that are new are written.
 */
export async function matchLines(tx: ContextTx<'costs'>, scope: MatchScope): Promise<void> {
  const { provider_invoice_ids, resource_ids } = scope
  if (resource_ids?.length === 0) return
  await lockBills(tx)
  await prepareLadder(tx)
  await makeSplitTable(tx)
  const rows = await runLadder(tx, { target: targets(scope), statement: rematch() })
  await storeSplits(tx)
  if (resource_ids === undefined) {
    await allocateLines(tx, provider_invoice_ids ? { provider_invoice_ids } : {})
    return
  }
  const shared = await findBillsSharedBy(tx, resource_ids)
  await allocateLines(tx, { provider_invoice_ids: [...rows.map(({ id }) => id), ...shared] })
}

/** Gives the bills that a line changed on. */
function rematch(): RawBuilder<{ id: string }> {
  return sql`
    with ${ladder()},
    unfound as (select t.* from pg_temp.target t join decision d on d.id = t.id where d.match_status = 'unmatched'),
    rule as (${winningRules('unfound')}),
    changed as (${UPDATE_LINES}),
    unshared as (
      delete from costs.line_share s using changed c where s.cost_line_id = c.id and c.match_status <> 'allocated'
    ),
    split as (
      insert into pg_temp.split_line (id, amount, currency, shares)
      select d.id, l.amount, l.currency, d.shares
      from decision d join costs.cost_line l on l.id = d.id where d.shares is not null
      returning id
    )
    select provider_invoice_id as id from changed
    union
    select l.provider_invoice_id from split join costs.cost_line l on l.id = split.id`
}

/** Usage that has come late counts in the months that are open. Returns how many lines are shared by a meter. */
export async function shareByUsage(tx: ContextTx<'costs'>): Promise<number> {
  await lockBills(tx)
  return allocateLines(tx, { basis: 'meter' })
}

/** Where rules may share by the resources themselves and not only by matches: their hours, or who had them. */
async function findBillsSharedBy(reader: Reader, resource_ids: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select i.id from costs.provider_invoice i
    where ${isOpenMonth('i')}
      and exists (
        select from costs.allocation_rule a where a.provider = i.provider and a.basis in ('even', 'meter')
      )
      and i.period_end > (
        select min(s.starts_at) at time zone 'UTC' from inventory.span s where s.resource_id = ${anyOf(resource_ids)}
      )`.execute(reader)
  return rows.map(({ id }) => id)
}

function targets({ provider_invoice_ids, resource_ids }: MatchScope): RawBuilder<unknown> {
  const conditions = [sql`l.match_status <> 'not_applicable'`, sql`l.match_method is distinct from 'by_hand'`]
  if (provider_invoice_ids) conditions.push(sql`l.provider_invoice_id = ${anyOf(provider_invoice_ids)}`)
  else conditions.push(IN_OPEN_MONTHS)
  if (resource_ids) conditions.push(concerns(resource_ids))
  return sql`select ${TARGET_COLUMNS} from costs.cost_line l where ${sql.join(conditions, sql` and `)}`
}

const IN_OPEN_MONTHS = sql`l.provider_invoice_id in (select i.id from costs.provider_invoice i where ${isOpenMonth('i')})`

/** Sets to look into, so that the lines are read once, however many resources there are. */
function concerns(resource_ids: readonly string[]): RawBuilder<unknown> {
  const changed = sql`(
    select r.id, r.provider, r.external_id from inventory.resource r where r.id = ${anyOf(resource_ids)}
    union
    select child.id, child.provider, child.external_id
    from inventory.resource r
    join inventory.resource child on child.provider = r.provider
      and child.parent_kind = r.kind and child.parent_external_id = r.external_id
    where r.id = ${anyOf(resource_ids)}
  ) r`
  const names = sql`select r.provider, lower(s.name) from ${changed} join inventory.span s on s.resource_id = r.id`
  return sql`(
    l.resource_id in (select r.id from ${changed})
    or (l.provider, l.external_resource_id) in (select r.provider, r.external_id from ${changed})
    or (l.provider, l.external_resource_uuid) in (select r.provider, r.external_id from ${changed})
    or (l.provider, lower(l.resource_name)) in (${names})
    or (l.provider, lower(l.group_description)) in (${names})
    or (l.provider, lower(l.project)) in (${names})
  )`
}

/**
 * Only lines whose decision is new are written, none that were assigned by hand, and none that are left to a rule: the
 * rule decides them next, and to take its shares away before would write them twice.
 */
const UPDATE_LINES = sql`
  update costs.cost_line l
  set resource_id = d.resource_id, tenant_id = d.tenant_id, deployment_id = d.deployment_id,
    match_status = d.match_status, match_method = d.match_method, match_reason = d.match_reason
  from decision d left join rule on rule.line_id = d.id
  where d.id = l.id and l.match_method is distinct from 'by_hand'
    and (l.resource_id, l.tenant_id, l.deployment_id, l.match_status, l.match_method, l.match_reason)
      is distinct from (d.resource_id, d.tenant_id, d.deployment_id, d.match_status, d.match_method, d.match_reason)
    and not (
      rule.line_id is not null and l.resource_id is not distinct from d.resource_id
      and (l.match_status = 'unmatched' or l.match_method = 'allocation_rule')
    )
  returning l.id, l.provider_invoice_id, l.match_status`
