import { sql } from 'kysely'
import { present } from '../../kernel/invariant.ts'
import type { ContextTx, Reader } from '../../platform/db.ts'
import { lockBills } from './lock.ts'
import { isOpenMonth } from './open-month.ts'

const PREVIEW_MAX_LINES = 100

type OwnedPart = { tenant_id: string; deployment_id: string; amount: string }

/** Whose cost a line is: no owners while it is unmatched. */
export type LineMatch = {
  match_status: 'matched' | 'allocated' | 'unmatched'
  match_method: string | null
  owners: OwnedPart[]
}

/** What a change would do to the matches of open months. Amounts are decimal strings in major units. */
export type MatchChanges = {
  changed_lines: number
  /** In the order of the bills, and no more than the first PREVIEW_MAX_LINES. */
  lines: {
    id: string
    provider_invoice_id: string
    description: string
    amount: string
    currency: string
    from: LineMatch
    to: LineMatch
  }[]
  /** Of the lines that change, what each deployment bears; the null deployment is what nobody does. */
  deployments: {
    tenant_id: string | null
    deployment_id: string | null
    currency: string
    before_amount: string
    after_amount: string
  }[]
}

/**
 * Does `change`, says whose cost has become another's, and takes it back: a preview is the change itself without the
 * last step. Refuses as `change` does.
 */
export async function previewMatches<Tx extends ContextTx<'costs'>>(
  tx: Tx,
  change: (tx: Tx) => Promise<unknown>,
): Promise<MatchChanges> {
  // Before the savepoint: a lock that is taken after it is given back with it.
  await lockBills(tx)
  await sql`create temporary table line_before on commit drop as ${MATCHES}`.execute(tx)
  await sql`savepoint preview`.execute(tx)
  await change(tx)
  const changes = await readChanges(tx)
  await sql`rollback to savepoint preview`.execute(tx)
  return changes
}

/** The lines that can change, each with its owners. */
const MATCHES = sql`
  select l.id, l.provider_invoice_id, l.position, l.description, trim_scale(l.amount) as amount, l.currency,
    l.match_status, l.match_method,
    case l.match_status
      when 'matched' then jsonb_build_array(jsonb_build_object(
        'tenant_id', l.tenant_id, 'deployment_id', l.deployment_id, 'amount', trim_scale(l.amount)::text
      ))
      when 'allocated' then (
        select jsonb_agg(jsonb_build_object(
          'tenant_id', s.tenant_id, 'deployment_id', s.deployment_id, 'amount', trim_scale(s.amount)::text
        ) order by s.tenant_id, s.deployment_id)
        from costs.line_share s where s.cost_line_id = l.id
      )
      else '[]'
    end as owners
  from costs.cost_line l join costs.provider_invoice i on i.id = l.provider_invoice_id
  where l.match_status <> 'not_applicable' and ${isOpenMonth('i')}`

async function readChanges(reader: Reader): Promise<MatchChanges> {
  const { rows } = await sql<MatchChanges>`
    with changed as materialized (
      select a.id, a.provider_invoice_id, a.position, a.description, a.amount, a.currency, b.owners as owners_before,
        a.owners as owners_after,
        jsonb_build_object('match_status', b.match_status, 'match_method', b.match_method, 'owners', b.owners) as "from",
        jsonb_build_object('match_status', a.match_status, 'match_method', a.match_method, 'owners', a.owners) as "to"
      from line_before b join (${MATCHES}) a on a.id = b.id
      where (a.match_status, a.match_method, a.owners) is distinct from (b.match_status, b.match_method, b.owners)
    ),
    listed as (select * from changed order by provider_invoice_id, position limit ${PREVIEW_MAX_LINES}),
    part as (
      select currency, o.tenant_id, o.deployment_id, o.amount as before_amount, 0 as after_amount
      from changed, jsonb_to_recordset(owners_before) as o(tenant_id text, deployment_id uuid, amount numeric)
      union all
      select currency, o.tenant_id, o.deployment_id, 0, o.amount
      from changed, jsonb_to_recordset(owners_after) as o(tenant_id text, deployment_id uuid, amount numeric)
      union all
      select currency, null, null, case when owners_before = '[]' then amount else 0 end,
        case when owners_after = '[]' then amount else 0 end
      from changed where owners_before = '[]' or owners_after = '[]'
    ),
    total as (
      select tenant_id, deployment_id, currency, trim_scale(sum(before_amount))::text as before_amount,
        trim_scale(sum(after_amount))::text as after_amount
      from part group by tenant_id, deployment_id, currency
    )
    select (select count(*)::integer from changed) as changed_lines,
      coalesce((
        select jsonb_agg(jsonb_build_object('id', id, 'provider_invoice_id', provider_invoice_id,
          'description', description, 'amount', amount::text, 'currency', currency, 'from', "from", 'to', "to"
        ) order by provider_invoice_id, position) from listed
      ), '[]') as lines,
      coalesce((
        select jsonb_agg(to_jsonb(total) order by tenant_id nulls last, deployment_id, currency) from total
      ), '[]') as deployments`.execute(reader)
  return present(rows[0], 'a preview has one row')
}
