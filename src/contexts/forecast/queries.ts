import { sql } from 'kysely'
import { instantsOf, type Period } from '../../kernel/period.ts'
import { anyOf, type Reader } from '../../platform/db.ts'
import { PROVIDER_ZONE } from '../../providers/bill-line.ts'
import { COUNTS_IN_ITS_MONTH } from '../costs/index.ts'
import { RESOURCE_KINDS, type ResourceKind } from '../inventory/index.ts'
import type { Billed } from './comparison.ts'
import { type RentedSpan, subjectOf } from './expected.ts'

/** Its inventory and its price book are known; what others bill cannot be expected. */
const PROVIDER = 'digitalocean'

/** All bills of a month together. */
export type BillFacts = {
  readonly provider_invoice_ids: string[]
  readonly status: 'preview' | 'issued'
  readonly invoice_numbers: string[]
  readonly amount: string
  readonly tax_amount: string
  readonly credit_amount: string
  /** What is left: the charges, which alone can be expected. */
  readonly charges_amount: string
  /** When the last of them was read. */
  readonly read_at: Temporal.Instant
}

/** A kind whose last listing recorded nothing: what of it was rented since `listed_at` (null: ever) is not known. */
export type NotListed = {
  readonly kind: ResourceKind
  readonly listed_at: Temporal.Instant | null
  /** What the token needs to list it, where the provider told it. */
  readonly scope: string | null
}

export type BalanceFacts = { readonly generated_at: Temporal.Instant; readonly month_to_date_usage: string }

/** What was rented in the month. Projects cost nothing. */
export async function loadSpans(reader: Reader, month: Period): Promise<RentedSpan[]> {
  const { start, end } = instantsOf(month, PROVIDER_ZONE)
  const { rows } = await sql<RentedSpan>`
    select s.resource_id, r.kind, s.name, s.size, trim_scale(s.size_gb) as size_gb,
      trim_scale(s.price_monthly) as price_monthly, p.id as parent_id, p.name as parent_name, s.starts_at, s.ends_at
    from inventory.span s
    join inventory.resource r on r.id = s.resource_id
    left join inventory.resource p
      on (p.provider, p.kind, p.external_id) = (r.provider, r.parent_kind, r.parent_external_id)
    where r.provider = ${PROVIDER} and r.kind <> 'project'
      and s.starts_at < ${end} and coalesce(s.ends_at > ${start}, true)
    union all ${subscriptionsOf(month)}`.execute(reader)
  return rows
}

/** What the account as a whole subscribes to is in no list: it is expected to go on as the bill before says. */
function subscriptionsOf(month: Period) {
  const since = instantsOf(month, PROVIDER_ZONE).start
  return sql`
    select distinct null::uuid, l.kind, l.description, '', 0::numeric, null::numeric, null::uuid, null::text,
      ${since}::timestamptz, null::timestamptz
    from costs.cost_line l
    where l.charge_category = 'Purchase' and l.resource_id is null and l.resource_name is null
      and not exists (select from inventory.resource r where r.provider = l.provider and r.kind = l.kind)
      and l.provider_invoice_id in (
        select bill.id from costs.provider_invoice bill
        where bill.provider = ${PROVIDER} and bill.period_end = ${month.start} and ${COUNTS_IN_ITS_MONTH}
      )`
}

/** The issued bills of the month, else its preview. */
export async function findBill(reader: Reader, month: Period): Promise<BillFacts | undefined> {
  const { rows } = await sql<BillFacts>`
    select array_agg(bill.id order by bill.invoice_number, bill.id) as provider_invoice_ids, min(bill.status) as status,
      coalesce(array_agg(bill.invoice_number order by bill.invoice_number)
        filter (where bill.invoice_number is not null), '{}') as invoice_numbers,
      trim_scale(sum(bill.amount)) as amount, max(bill.ingested_at) as read_at,
      trim_scale(sum(c.tax_amount)) as tax_amount, trim_scale(sum(c.credit_amount)) as credit_amount,
      trim_scale(sum(c.charges_amount)) as charges_amount
    from costs.provider_invoice bill
    cross join lateral (
      select coalesce(sum(l.amount) filter (where l.charge_category = 'Tax'), 0) as tax_amount,
        coalesce(sum(l.amount) filter (where l.charge_category in ('Credit', 'Adjustment')), 0) as credit_amount,
        coalesce(sum(l.amount) filter (where l.charge_category in ('Usage', 'Purchase')), 0) as charges_amount
      from costs.cost_line l where l.provider_invoice_id = bill.id
    ) c
    where bill.provider = ${PROVIDER} and bill.period_start = ${month.start} and ${COUNTS_IN_ITS_MONTH}
    having count(*) > 0`.execute(reader)
  return rows[0]
}

/** The charges of bills, by what they are for. */
export async function loadBilled(reader: Reader, provider_invoice_ids: readonly string[]): Promise<Billed[]> {
  const { rows } = await sql<BilledRow>`
    select l.kind, coalesce(r.kind, l.kind) as resource_kind, r.id as resource_id,
      coalesce(r.name, l.resource_name, l.description) as name, p.id as parent_id, p.name as parent_name,
      trim_scale(sum(l.amount)) as amount
    from costs.cost_line l
    left join inventory.resource r on r.id = l.resource_id
    left join inventory.resource p
      on (p.provider, p.kind, p.external_id) = (r.provider, r.parent_kind, r.parent_external_id)
    where l.provider_invoice_id = ${anyOf(provider_invoice_ids)} and l.charge_category in ('Usage', 'Purchase')
    group by l.kind, r.id, r.kind, p.id, coalesce(r.name, l.resource_name, l.description)`.execute(reader)
  return rows.map((row) => ({ ...subjectOf(row), amount: row.amount }))
}

type BilledRow = Parameters<typeof subjectOf>[0] & { readonly amount: string }

export type Listings = {
  /** Since when anything is known of what is rented; null: the inventory was never listed. */
  readonly known_since: Temporal.Instant | null
  readonly not_listed: NotListed[]
}

/** Of every kind that costs money. */
export async function loadListings(reader: Reader): Promise<Listings> {
  const { rows } = await sql<NotListed & { last_error: string | null; known_since: Temporal.Instant | null }>`
    select listing.kind, listing.listed_at, listing.last_error, listing.scope, least(listing.listed_at, (
      select min(r.first_seen_at) from inventory.resource r where r.provider = listing.provider
    )) as known_since
    from inventory.listing where listing.provider = ${PROVIDER}`.execute(reader)
  const listings = new Map(rows.map((row) => [row.kind, row]))
  const known = rows.flatMap(({ listed_at, known_since }) => (listed_at && known_since ? [known_since] : []))
  return {
    known_since: known.toSorted(Temporal.Instant.compare)[0] ?? null,
    not_listed: RESOURCE_KINDS.flatMap((kind) => {
      const { listed_at = null, last_error = null, scope = null } = listings.get(kind) ?? {}
      const isListed = listed_at !== null && last_error === null
      return isListed || kind === 'project' ? [] : { kind, listed_at, scope }
    }),
  }
}

/** The latest balance that was taken in the month. */
export async function findBalance(reader: Reader, month: Period): Promise<BalanceFacts | undefined> {
  const { start, end } = instantsOf(month, PROVIDER_ZONE)
  const { rows } = await sql<BalanceFacts>`
    select generated_at, trim_scale(month_to_date_usage) as month_to_date_usage from costs.balance
    where provider = ${PROVIDER} and generated_at >= ${start} and generated_at < ${end}
    order by generated_at desc limit 1`.execute(reader)
  return rows[0]
}
