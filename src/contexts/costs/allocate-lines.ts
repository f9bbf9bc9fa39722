import { type RawBuilder, sql } from 'kysely'
import { anyOf, type ContextTx, type Reader, rowset } from '../../platform/db.ts'
import { type Owner } from '../inventory/index.ts'
import { readUsage } from '../metering/index.ts'
import {
  type AllocationRule,
  describeNothing,
  describeRule,
  type Grounds,
  type Share,
  sharesBy,
  splitAmount,
} from './allocation.ts'
import { isOpenMonth } from './closing.ts'

const USAGE_BATCH_MAX_WINDOWS = 20_000

export type AllocationScope = {
  /** These bills, also where their month is closed, and the open ones of the same month; all open ones when left out. */
  readonly provider_invoice_ids?: readonly string[]
}

/**
 * Shares the lines that the ladder gave to nobody by the allocation rules: the rule that names most wins, then the older
 * one. Runs after the ladder has decided all of these lines, because a rule may share by what it has found; so the other
 * bills of the month are shared again, too. A line whose rule finds nothing to share by stays unmatched and says so.
 */
export async function allocateLines(tx: ContextTx<'costs'>, scope: AllocationScope): Promise<void> {
  const lines = await loadSelectedLines(tx, scope)
  if (lines.length === 0) return
  const groundsOf = await loadGrounds(tx, lines)
  const decided = lines.map((line) => {
    const shares = sharesBy(line.rule, groundsOf(line))
    const isShared = shares.length > 0
    return {
      id: line.id,
      amount: line.amount,
      currency: line.currency,
      shares,
      match_status: isShared ? 'allocated' : 'unmatched',
      match_method: isShared ? 'allocation_rule' : null,
      match_reason: isShared ? describeRule(line.rule) : describeNothing(line.rule),
    }
  })
  const rows = decided.map(({ id, match_status, match_method, match_reason }) => ({
    id,
    match_status,
    match_method,
    match_reason,
  }))
  await sql`
    update costs.cost_line l
    set match_status = n.match_status, match_method = n.match_method, match_reason = n.match_reason
    from ${rowset('costs.cost_line', rows)} n
    where l.id = n.id
      and (l.match_status, l.match_method, l.match_reason)
        is distinct from (n.match_status, n.match_method, n.match_reason)`.execute(tx)
  await storeShares(tx, decided)
}

export type SharedLine = {
  readonly id: string
  readonly amount: string
  readonly currency: string
  readonly shares: readonly Share[]
}

/** Leaves each of the lines with exactly these shares, and writes only those that are new. */
export async function storeShares(tx: ContextTx<'costs'>, lines: readonly SharedLine[]): Promise<void> {
  if (lines.length === 0) return
  const rows = lines.flatMap((line) =>
    line.shares.length === 0
      ? []
      : splitAmount(line, line.shares).map((part) => Object.assign(part, { cost_line_id: line.id })),
  )
  await sql`
    with given as materialized (select * from ${rowset('costs.line_share', rows)}),
    stale as (
      delete from costs.line_share s
      where s.cost_line_id = ${anyOf(lines.map(({ id }) => id))} and not exists (
        select from given g
        where g.cost_line_id = s.cost_line_id and g.tenant_id = s.tenant_id and g.deployment_id = s.deployment_id
      )
    )
    insert into costs.line_share as known (cost_line_id, tenant_id, deployment_id, amount, weight)
    select cost_line_id, tenant_id, deployment_id, amount, weight from given
    on conflict (cost_line_id, tenant_id, deployment_id) do update set amount = excluded.amount, weight = excluded.weight
    where (known.amount, known.weight) is distinct from (excluded.amount, excluded.weight)`.execute(tx)
}

/** For each line of the CTE `candidates` (`id`, `provider`, `product`, `project`, `description`) the rule that wins. */
export function winningRules(candidates: string): RawBuilder<unknown> {
  return sql`
    select distinct on (t.id) t.id as line_id, a.id as rule_id
    from ${sql.table(candidates)} t
    join costs.allocation_rule a on a.provider = t.provider
      and (a.product is null or lower(a.product) = lower(t.product))
      and (a.project is null or lower(a.project) = lower(t.project))
      and (a.description is null or lower(t.description) like ${DESCRIPTION_PATTERN})
    order by t.id, num_nonnulls(a.product, a.project, a.description) desc, a.created_at, a.id`
}

/** A `*` stands for any text; everything else for itself. */
const DESCRIPTION_PATTERN = sql.raw(
  String.raw`replace(replace(replace(replace(lower(a.description), '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')`,
)

type SelectedLine = {
  readonly id: string
  readonly amount: string
  readonly currency: string
  readonly charge_start: Temporal.Instant
  readonly charge_end: Temporal.Instant
  /** Provider, month, currency, and whether it is a preview: what shares by direct cost with each other. */
  readonly book: string
  readonly rule: AllocationRule
}

async function loadSelectedLines(reader: Reader, scope: AllocationScope): Promise<SelectedLine[]> {
  const { rows } = await sql<Omit<SelectedLine, 'rule'> & { rule_id: string }>`
    with bill as (${billsIn(scope)}),
    selectable as (
      select l.id, l.provider, l.product, l.project, l.description
      from costs.cost_line l join bill on bill.id = l.provider_invoice_id
      where l.match_status = 'unmatched' or l.match_method = 'allocation_rule'
    ),
    rule as (${winningRules('selectable')})
    select l.id, trim_scale(l.amount) as amount, l.currency, l.charge_start,
      greatest(l.charge_end, l.charge_start + interval '1 second') as charge_end, ${BOOK} as book, rule.rule_id
    from rule join costs.cost_line l on l.id = rule.line_id
    join costs.provider_invoice i on i.id = l.provider_invoice_id`.execute(reader)
  const rules = rows.length === 0 ? new Map<string, AllocationRule>() : await loadRules(reader)
  return rows.flatMap(({ rule_id, ...line }) => {
    const rule = rules.get(rule_id)
    return rule ? { ...line, rule } : []
  })
}

function billsIn({ provider_invoice_ids }: AllocationScope): RawBuilder<unknown> {
  if (provider_invoice_ids === undefined)
    return sql`select i.id from costs.provider_invoice i where ${isOpenMonth('i')}`
  return sql`
    select i.id from costs.provider_invoice i
    where i.id = ${anyOf(provider_invoice_ids)} or ${isOpenMonth('i')} and exists (
      select from costs.provider_invoice named
      where named.id = ${anyOf(provider_invoice_ids)} and named.provider = i.provider
        and date_trunc('month', named.period_start::timestamp) = date_trunc('month', i.period_start::timestamp)
    )`
}

async function loadRules(reader: Reader): Promise<Map<string, AllocationRule>> {
  const { rows } = await sql<AllocationRule>`
    select a.id, a.product, a.project, a.description, a.basis, a.meter, a.shares, coalesce((
      select jsonb_agg(jsonb_build_object('tenant_id', d.tenant_id, 'deployment_id', d.id) order by d.tenant_id, d.id)
      from deployments.deployment d where d.id::text = any(a.deployment_ids)
    ), '[]') as between
    from costs.allocation_rule a`.execute(reader)
  return new Map(rows.map((rule) => [rule.id, rule]))
}

/** Of the bill `i` and its line `l`. */
const BOOK = sql`concat_ws(' ', i.provider, to_char(i.period_start, 'YYYY-MM'), l.currency, case i.status when 'preview' then 'preview' end)`

/** The bills that the books are made of, so that only their lines are read. */
function isBillOf(books: readonly string[]): RawBuilder<unknown> {
  const months = [...new Set(books.map((book) => book.split(' ').slice(0, 2).join(' ')))]
  return sql`concat_ws(' ', i.provider, to_char(i.period_start, 'YYYY-MM')) = ${anyOf(months)}`
}

async function loadGrounds(reader: Reader, lines: readonly SelectedLine[]): Promise<(line: SelectedLine) => Grounds> {
  const direct = await loadDirectCosts(reader, lines)
  const renters = await loadRenters(reader, lines)
  const quantities = await loadQuantities(reader, lines)
  return (line) => ({
    direct_costs: direct.get(line.book) ?? [],
    renters: renters.get(line.book) ?? [],
    quantities: quantities.get(meteredKey(line)) ?? [],
  })
}

type InBook = { readonly book: string }

/** Lines that are matched, and the parts of those that the time of two owners splits. */
async function loadDirectCosts(reader: Reader, lines: readonly SelectedLine[]): Promise<Map<string, Share[]>> {
  const books = booksOf(lines, 'direct_cost')
  if (books.length === 0) return new Map()
  const { rows } = await sql<Share & InBook>`
    select book, tenant_id, deployment_id, trim_scale(sum(amount))::text as weight
    from (${directCosts(books)}) direct
    where book = ${anyOf(books)}
    group by book, tenant_id, deployment_id order by book, tenant_id, deployment_id`.execute(reader)
  return byBook(rows)
}

/** Who had a resource of the provider in the month, or is matched to a line of it. */
async function loadRenters(reader: Reader, lines: readonly SelectedLine[]): Promise<Map<string, Owner[]>> {
  const books = booksOf(lines, 'even')
  if (books.length === 0) return new Map()
  const { rows } = await sql<Owner & InBook>`
    select book, tenant_id, deployment_id from (${directCosts(books)}) direct where book = ${anyOf(books)}
    union
    select month.book, s.tenant_id, s.deployment_id
    from (
      select distinct ${BOOK} as book, i.provider,
        date_trunc('month', i.period_start::timestamp) at time zone 'UTC' as starts_at,
        (date_trunc('month', i.period_start::timestamp) + interval '1 month') at time zone 'UTC' as ends_at
      from costs.provider_invoice i join costs.cost_line l on l.provider_invoice_id = i.id
      where ${isBillOf(books)}
    ) month
    join inventory.resource r on r.provider = month.provider
    join inventory.span s on s.resource_id = r.id and s.deployment_id is not null
      and s.starts_at < month.ends_at and coalesce(s.ends_at, 'infinity') > month.starts_at
    where month.book = ${anyOf(books)}
    order by book, tenant_id, deployment_id`.execute(reader)
  return byBook(rows)
}

function directCosts(books: readonly string[]): RawBuilder<unknown> {
  return sql`
    select ${BOOK} as book, l.tenant_id, l.deployment_id, l.amount
    from costs.cost_line l join costs.provider_invoice i on i.id = l.provider_invoice_id
    where l.match_status = 'matched' and ${isBillOf(books)}
    union all
    select ${BOOK}, s.tenant_id, s.deployment_id, s.amount
    from costs.cost_line l join costs.provider_invoice i on i.id = l.provider_invoice_id
    join costs.line_share s on s.cost_line_id = l.id
    where l.match_status = 'allocated' and l.match_method <> 'allocation_rule' and ${isBillOf(books)}`
}

/** A resource that is alive counts up to the line's end, so that the shares do not depend on when they are made. */
async function loadQuantities(reader: Reader, lines: readonly SelectedLine[]): Promise<Map<string, Share[]>> {
  const metered = new Map(
    lines.flatMap((line) => (line.rule.basis === 'meter' ? [[meteredKey(line), line] as const] : [])),
  )
  if (metered.size === 0) return new Map()
  const owners = await loadDeployments(reader)
  const windows = [...metered].flatMap(([key, { rule, charge_start, charge_end }]) =>
    (rule.between.length > 0 ? rule.between : owners).map((owner) => ({
      ...owner,
      key: `${key} ${owner.deployment_id}`,
      start: charge_start,
      end: charge_end,
      owner,
      metered: key,
      meter: rule.meter ?? '',
    })),
  )
  const quantities = new Map<string, Share[]>([...metered.keys()].map((key) => [key, []]))
  for (let from = 0; from < windows.length; from += USAGE_BATCH_MAX_WINDOWS) {
    const batch = windows.slice(from, from + USAGE_BATCH_MAX_WINDOWS)
    const asked = batch.map(({ key, tenant_id, deployment_id, start, end }) => ({
      key,
      tenant_id,
      deployment_id,
      start,
      end,
    }))
    const usage = await readUsage(reader, asked)
    for (const { key, owner, metered: line, meter } of batch) {
      const weight = usage.get(key)?.usage[meter]
      if (weight !== undefined) quantities.get(line)?.push({ ...owner, weight })
    }
  }
  return quantities
}

function meteredKey({ rule, charge_start, charge_end }: SelectedLine): string {
  return `${rule.id} ${charge_start} ${charge_end}`
}

async function loadDeployments(reader: Reader): Promise<Owner[]> {
  return reader
    .selectFrom('deployments.deployment')
    .select(['tenant_id', 'id as deployment_id'])
    .orderBy('tenant_id')
    .orderBy('id')
    .execute()
}

function booksOf(lines: readonly SelectedLine[], basis: AllocationRule['basis']): string[] {
  return [...new Set(lines.flatMap(({ rule, book }) => (rule.basis === basis ? book : [])))]
}

function byBook<T extends Owner>(rows: readonly (T & InBook)[]): Map<string, T[]> {
  return Map.groupBy(rows, ({ book }) => book)
}
