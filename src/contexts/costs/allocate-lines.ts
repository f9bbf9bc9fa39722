import { type RawBuilder, sql } from 'kysely'
import { present } from '../../kernel/invariant.ts'
import { anyOf, type ContextTx, CopyBuffer, copyRow, copyRows, jsonb, type Reader } from '../../platform/db.ts'
import { type Owner } from '../inventory/index.ts'
import { readUsage } from '../metering/index.ts'
import {
  type AllocationRule,
  type Basis,
  describeNothing,
  describeSharing,
  type Grounds,
  type Share,
  sharesBy,
} from './allocation.ts'
import { storeShares } from './line-shares.ts'
import { isOpenMonth } from './open-month.ts'

const PAGE_MAX_LINES = 10_000
const USAGE_BATCH_MAX_WINDOWS = 20_000

export type AllocationScope = {
  /** These bills, also where their month is closed, and the open ones of the same month; all open ones when left out. */
  readonly provider_invoice_ids?: readonly string[]
  /** Only lines whose rule shares by this. */
  readonly basis?: Basis
}

/**
 * Shares the lines that the ladder gave to nobody by the allocation rules: the rule that names most wins, then the older
 * one. Runs after the ladder has decided all of these lines, because a rule may share by what it has found; so the other
 * bills of the month are shared again, too. A line whose rule finds nothing to share by stays unmatched and says so.
 * Page by page, because a month may have more shares than fit into memory. Returns how many lines have a rule.
 */
export async function allocateLines(tx: ContextTx<'costs'>, scope: AllocationScope): Promise<number> {
  await makeTables(tx)
  const line_count = await selectLines(tx, scope)
  if (line_count === 0) return 0
  const rules = await loadRules(tx)
  const bookGrounds = await loadBookGrounds(tx, rules)
  for (let page = 0; page * PAGE_MAX_LINES < line_count; page += 1) {
    const sharings = await loadSharings(tx, { page, rules })
    const quantities = await loadQuantities(tx, sharings)
    const decided = sharings.map((sharing) => decideSharing(sharing, { ...bookGrounds(sharing), quantities }))
    await storePage(tx, { page, decided })
  }
  return line_count
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

async function makeTables(tx: ContextTx<'costs'>): Promise<void> {
  await sql`drop table if exists pg_temp.selected_line, pg_temp.sharing_part`.execute(tx)
  await sql`
    create temporary table selected_line (
      id uuid, page integer, sharing text, rule_id uuid, book text, amount numeric, currency text,
      charge_start timestamptz, charge_end timestamptz
    ) on commit drop`.execute(tx)
  await sql`
    create temporary table sharing_part (
      sharing text, place integer, tenant_id text, deployment_id uuid, weight numeric
    ) on commit drop`.execute(tx)
}

/** The lines that a rule selects, in pages. Lines of one `sharing` are shared alike. Gives how many there are. */
async function selectLines(tx: ContextTx<'costs'>, scope: AllocationScope): Promise<number> {
  const { numAffectedRows } = await sql`
    with bill as (${billsIn(scope)}),
    selectable as (
      select l.id, l.provider, l.product, l.project, l.description
      from costs.cost_line l join bill on bill.id = l.provider_invoice_id
      where l.match_status = 'unmatched' or l.match_method = 'allocation_rule'
    ),
    rule as (${winningRules('selectable')}),
    selected as (
      select l.id, l.provider_invoice_id, l.position, rule.rule_id, a.basis, ${BOOK} as book, l.amount, l.currency,
        l.charge_start, greatest(l.charge_end, l.charge_start + interval '1 second') as charge_end
      from rule join costs.allocation_rule a on a.id = rule.rule_id
      join costs.cost_line l on l.id = rule.line_id
      join costs.provider_invoice i on i.id = l.provider_invoice_id
      where ${scope.basis === undefined ? sql`true` : sql`a.basis = ${scope.basis}`}
    )
    insert into pg_temp.selected_line
    select id, (row_number() over (order by provider_invoice_id, position) - 1) / ${sql.lit(PAGE_MAX_LINES)},
      concat_ws(' ', rule_id, book, case basis when 'meter' then charge_start || ' ' || charge_end end),
      rule_id, book, amount, currency, charge_start, charge_end
    from selected`.execute(tx)
  await sql`analyze pg_temp.selected_line`.execute(tx)
  return Number(numAffectedRows ?? 0n)
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

/** Of the bill `i` and its line `l`. */
const BOOK = sql`concat_ws(' ', i.provider, to_char(i.period_start, 'YYYY-MM'), l.currency, case i.status when 'preview' then 'preview' end)`

async function loadRules(reader: Reader): Promise<Map<string, AllocationRule>> {
  const { rows } = await sql<AllocationRule>`
    select a.id, a.product, a.project, a.description, a.basis, a.meter, a.shares, coalesce((
      select jsonb_agg(jsonb_build_object('tenant_id', d.tenant_id, 'deployment_id', d.id) order by d.tenant_id, d.id)
      from deployments.deployment d where d.id::text = any(a.deployment_ids)
    ), '[]') as between
    from costs.allocation_rule a`.execute(reader)
  return new Map(rows.map((rule) => [rule.id, rule]))
}

type BookGrounds = Omit<Grounds, 'quantities'>

/** What the books of the selected lines have to share by, and not by a meter. */
async function loadBookGrounds(
  reader: Reader,
  rules: ReadonlyMap<string, AllocationRule>,
): Promise<(of: { book: string }) => BookGrounds> {
  const { rows } = await sql<{ rule_id: string; book: string }>`
    select distinct rule_id, book from pg_temp.selected_line`.execute(reader)
  const booksBy = (basis: Basis) => [
    ...new Set(rows.flatMap(({ rule_id, book }) => (ruleOf(rules, rule_id).basis === basis ? book : []))),
  ]
  const direct = await loadDirectCosts(reader, booksBy('direct_cost'))
  const renters = await loadRenters(reader, booksBy('even'))
  return ({ book }) => ({ direct_costs: direct.get(book) ?? [], renters: renters.get(book) ?? [] })
}

/** The bills that the books are made of, so that only their lines are read. */
function isBillOf(books: readonly string[]): RawBuilder<unknown> {
  const months = [...new Set(books.map((book) => book.split(' ').slice(0, 2).join(' ')))]
  return sql`concat_ws(' ', i.provider, to_char(i.period_start, 'YYYY-MM')) = ${anyOf(months)}`
}

type Sharing = {
  readonly sharing: string
  readonly rule: AllocationRule
  /** Provider, month, currency, and whether it is a preview: what shares by direct cost with each other. */
  readonly book: string
  /** Of a rule by a meter; of others, of any of the lines. */
  readonly charge_start: Temporal.Instant
  readonly charge_end: Temporal.Instant
}

/** How the lines of a page are shared: as many as there are rules, books and, by a meter, times of lines. */
async function loadSharings(
  reader: Reader,
  { page, rules }: { page: number; rules: ReadonlyMap<string, AllocationRule> },
): Promise<Sharing[]> {
  const { rows } = await sql<Omit<Sharing, 'rule'> & { rule_id: string }>`
    select distinct on (sharing) sharing, rule_id, book, charge_start, charge_end
    from pg_temp.selected_line where page = ${page} order by sharing`.execute(reader)
  return rows.map(({ rule_id, ...sharing }) => ({ ...sharing, rule: ruleOf(rules, rule_id) }))
}

function ruleOf(rules: ReadonlyMap<string, AllocationRule>, rule_id: string): AllocationRule {
  return present(rules.get(rule_id), 'no rule goes while bills are locked')
}

type DecidedSharing = {
  readonly sharing: string
  readonly shares: readonly Share[]
  readonly match_status: 'allocated' | 'unmatched'
  readonly match_method: 'allocation_rule' | null
  readonly match_reason: string
}

function decideSharing(
  { sharing, rule }: Sharing,
  grounds: BookGrounds & { quantities: ReadonlyMap<string, Share[]> },
): DecidedSharing {
  const shares = sharesBy(rule, { ...grounds, quantities: grounds.quantities.get(sharing) ?? [] })
  return shares.length > 0
    ? {
        sharing,
        shares,
        match_status: 'allocated',
        match_method: 'allocation_rule',
        match_reason: describeSharing(rule, shares),
      }
    : { sharing, shares, match_status: 'unmatched', match_method: null, match_reason: describeNothing(rule) }
}

async function storePage(
  tx: ContextTx<'costs'>,
  { page, decided }: { page: number; decided: readonly DecidedSharing[] },
): Promise<void> {
  const outcomes = decided.map(({ shares: _shares, ...outcome }) => outcome)
  await sql`
    update costs.cost_line l
    set match_status = o.match_status, match_method = o.match_method, match_reason = o.match_reason
    from pg_temp.selected_line s
    join jsonb_to_recordset(${jsonb(outcomes)}) as o (
      sharing text, match_status text, match_method text, match_reason text
    ) on o.sharing = s.sharing
    where s.page = ${page} and l.id = s.id
      and (l.match_status, l.match_method, l.match_reason)
        is distinct from (o.match_status, o.match_method, o.match_reason)`.execute(tx)
  await copyRows(tx, 'pg_temp.sharing_part', PART_COLUMNS, partRows(decided))
  await storeShares(tx, {
    lines: sql`select id from pg_temp.selected_line where page = ${page}`,
    parts: sql`
      select l.id as cost_line_id, l.amount, l.currency, p.place, p.tenant_id, p.deployment_id, p.weight
      from pg_temp.selected_line l join pg_temp.sharing_part p on p.sharing = l.sharing where l.page = ${page}`,
  })
  await sql`truncate pg_temp.sharing_part`.execute(tx)
}

const PART_COLUMNS = ['sharing', 'place', 'tenant_id', 'deployment_id', 'weight']

function partRows(decided: readonly DecidedSharing[]): CopyBuffer {
  const buffer = new CopyBuffer()
  for (const { sharing, shares } of decided) {
    const rows = shares.map(({ tenant_id, deployment_id, weight }, place) =>
      copyRow([sharing, place, tenant_id, deployment_id, weight]),
    )
    buffer.add(rows.join(''))
  }
  return buffer
}

type InBook = { readonly book: string }

/** Lines that are matched, and the parts of those that the time of two owners splits. */
async function loadDirectCosts(reader: Reader, books: readonly string[]): Promise<Map<string, Share[]>> {
  if (books.length === 0) return new Map()
  const { rows } = await sql<Share & InBook>`
    select book, tenant_id, deployment_id, trim_scale(sum(amount))::text as weight
    from (${directCosts(books)}) direct
    where book = ${anyOf(books)}
    group by book, tenant_id, deployment_id order by book, tenant_id, deployment_id`.execute(reader)
  return byBook(rows)
}

/** Who had a resource of the provider in the month, or is matched to a line of it. */
async function loadRenters(reader: Reader, books: readonly string[]): Promise<Map<string, Owner[]>> {
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

/**
 * By sharing. A resource that is alive counts up to the line's end, so that the shares do not depend on when they are
 * made.
 */
async function loadQuantities(reader: Reader, sharings: readonly Sharing[]): Promise<Map<string, Share[]>> {
  const metered = sharings.filter(({ rule }) => rule.basis === 'meter')
  if (metered.length === 0) return new Map()
  const owners = await loadDeployments(reader)
  const quantities = new Map<string, Share[]>(metered.map(({ sharing }) => [sharing, []]))
  for (const batch of batches(usageWindows(metered, owners), USAGE_BATCH_MAX_WINDOWS)) {
    const usage = await readUsage(
      reader,
      batch.map(({ window }) => window),
    )
    for (const { window, owner, sharing, meter } of batch) {
      const used = usage.get(window.key)?.usage ?? {}
      const weight = Object.hasOwn(used, meter) ? used[meter] : undefined
      if (weight !== undefined) quantities.get(sharing)?.push({ ...owner, weight })
    }
  }
  return quantities
}

function* usageWindows(metered: readonly Sharing[], owners: readonly Owner[]) {
  for (const { sharing, rule, charge_start, charge_end } of metered) {
    for (const owner of rule.between.length > 0 ? rule.between : owners) {
      const key = `${sharing} ${owner.deployment_id}`
      const window = { ...owner, key, start: charge_start, end: charge_end }
      yield { window, owner, sharing, meter: rule.meter ?? '' }
    }
  }
}

function* batches<T>(items: Iterable<T>, max_items: number): Generator<T[]> {
  let batch: T[] = []
  for (const item of items) {
    batch.push(item)
    if (batch.length < max_items) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function loadDeployments(reader: Reader): Promise<Owner[]> {
  return reader
    .selectFrom('deployments.deployment')
    .select(['tenant_id', 'id as deployment_id'])
    .orderBy('tenant_id')
    .orderBy('id')
    .execute()
}

function byBook<T extends Owner>(rows: readonly (T & InBook)[]): Map<string, T[]> {
  return Map.groupBy(rows, ({ book }) => book)
}
