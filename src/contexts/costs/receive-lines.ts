import { type RawBuilder, sql } from 'kysely'
import { present } from '../../kernel/invariant.ts'
import { dateIn, instantsOf, laterInstant, monthLabel, monthOf, type Window } from '../../kernel/period.ts'
import { type ContextTx, copyRow, copyRows, type CopyValue } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import type { BillLine } from '../../providers/bill-line.ts'
import type { BillKey, BillRow } from '../../providers/bill-reader.ts'
import { allocateLines, type SharedLine, storeShares } from './allocate-lines.ts'
import { type BillContent, createTally, type Tally, textOf } from './bill.ts'
import { ladder, prepareLadder, TARGET_COLUMNS } from './ladder.ts'
import type { InvoiceToStore } from './queries.ts'

export type ReceivedBill = {
  readonly invoice: InvoiceToStore
  readonly content: BillContent
  /** The months that its lines are charged for, when none of those that say so touches its own period; else empty. */
  readonly other_months: readonly string[]
}

/**
 * Takes the lines of any number of bills as they are read: those of an issued bill into `pg_temp.received_line`, where
 * they can be compared with what is stored, and all others into the books, already matched, so that each is written
 * once. While the database stores a batch, the next one is read. `open` finds or makes the invoice of a bill. Gives the
 * bills in the order of their first lines; whether they may be issued is for the caller to say.
 */
export async function receiveLines(
  tx: ContextTx<'costs'>,
  rows: AsyncIterable<readonly BillRow[]>,
  { open, ids }: { open: (bill: BillKey | null) => Promise<InvoiceToStore>; ids: Ids },
): Promise<ReceivedBill[]> {
  await makeTables(tx)
  await prepareLadder(tx)
  const bills = new Map<string, OpenBill>()
  let batch = emptyBatch()
  let stored = Promise.resolve()
  try {
    for await (const part of rows) {
      for (const key of new Set(part.map(({ bill }) => bill))) {
        if (bills.has(nameOf(key))) continue
        await stored
        bills.set(nameOf(key), openBill(await open(key)))
      }
      placeLines(part, { bills, batch, ids })
      if (batch.line_count < BATCH_MIN_LINES) continue
      await stored
      stored = storeBatch(tx, batch)
      // Whoever waits for it next gets the failure; until then it is nobody's.
      stored.catch(() => {})
      batch = emptyBatch()
    }
  } finally {
    // Also when a row cannot be read: the transaction must not end in the middle of a statement.
    await stored
  }
  await storeBatch(tx, batch)
  const opened = [...bills.values()]
  const fresh = opened.filter(({ is_compared }) => !is_compared).map(({ invoice }) => invoice.id)
  if (fresh.length > 0) await allocateLines(tx, { provider_invoice_ids: fresh })
  return opened.map(({ invoice, tally, months }) => ({
    invoice,
    content: tally.content(),
    other_months: months === 'its own' ? [] : [...months].toSorted(),
  }))
}

/** Lines that are in memory, as rows of one bill. */
export async function* rowsOf(lines: readonly BillLine[]): AsyncGenerator<BillRow[]> {
  yield lines.map((line) => ({ bill: null, line }))
}

/**
 * Of one statement: each of them reads the inventory, and two are in memory, one that is stored and one that is read
 * meanwhile.
 */
const BATCH_MIN_LINES = 40_000

/** Rows for `copyRows`. */
type Batch = { fresh: Uint8Array<ArrayBuffer>[]; compared: Uint8Array<ArrayBuffer>[]; line_count: number }

function emptyBatch(): Batch {
  return { fresh: [], compared: [], line_count: 0 }
}

type OpenBill = {
  readonly invoice: InvoiceToStore
  readonly window: Window
  /** It is issued: its lines are only compared. */
  readonly is_compared: boolean
  readonly tally: Tally
  /** Of its lines, until one is of its own. */
  months: Set<string> | 'its own'
}

function openBill(invoice: InvoiceToStore): OpenBill {
  return {
    invoice,
    window: instantsOf(invoice.period, 'UTC'),
    is_compared: invoice.status === 'issued',
    tally: createTally(),
    months: new Set(),
  }
}

function nameOf(bill: BillKey | null): string {
  if (bill === null) return ''
  const { provider, billing_period, invoice_number, currency } = bill
  return JSON.stringify([provider, billing_period.start, billing_period.end, invoice_number, currency])
}

function placeLines(
  rows: readonly BillRow[],
  { bills, batch, ids }: { bills: ReadonlyMap<string, OpenBill>; batch: Batch; ids: Ids },
): void {
  const byKey = new Map<BillKey | null, OpenBill>()
  const texts = { fresh: '', compared: '' }
  for (const { bill: key, line } of rows) {
    const bill = byKey.get(key) ?? present(bills.get(nameOf(key)), 'each bill of a part is open')
    byKey.set(key, bill)
    texts[bill.is_compared ? 'compared' : 'fresh'] += copyRow(placeLine(line, bill, ids.uuid()))
  }
  for (const kind of ['fresh', 'compared'] as const) {
    if (texts[kind] !== '') batch[kind].push(ENCODER.encode(texts[kind]))
  }
  batch.line_count += rows.length
}

const ENCODER = new TextEncoder()

/** The values of COLUMNS. A line that does not say when is charged for the period of the bill. */
function placeLine(line: BillLine, bill: OpenBill, id: string): CopyValue[] {
  const { invoice, window, tally } = bill
  const position = tally.add(line)
  noteMonth(bill, line)
  const start = line.start ?? window.start
  return [
    invoice.id,
    position,
    id,
    invoice.provider,
    invoice.currency,
    line.kind,
    line.charge_category,
    line.service_category,
    line.service_name,
    line.product,
    line.group_description,
    line.description,
    line.amount,
    line.quantity,
    line.unit,
    textOf(start),
    textOf(line.start && line.end ? line.end : laterInstant(start, line.end ?? window.end)),
    line.project,
    line.external_resource_id,
    line.external_resource_uuid,
    line.resource_name,
    line.region,
    line.extra && JSON.stringify(line.extra),
  ]
}

const COLUMNS = [
  'provider_invoice_id',
  'position',
  'id',
  'provider',
  'currency',
  'kind',
  'charge_category',
  'service_category',
  'service_name',
  'product',
  'group_description',
  'description',
  'amount',
  'quantity',
  'unit',
  'charge_start',
  'charge_end',
  'project',
  'external_resource_id',
  'external_resource_uuid',
  'resource_name',
  'region',
  'extra',
] as const

/** One line of the bill's own time says that the others are late. */
function noteMonth(bill: OpenBill, { start, end }: BillLine): void {
  if (start === null || bill.months === 'its own') return
  const { window } = bill
  const endsAfterStart = Temporal.Instant.compare(end ?? start, window.start) > 0 || start.equals(window.start)
  if (endsAfterStart && Temporal.Instant.compare(start, window.end) < 0) bill.months = 'its own'
  else bill.months.add(monthLabel(monthOf(dateIn(start, 'UTC'))))
}

async function makeTables(tx: ContextTx<'costs'>): Promise<void> {
  for (const table of ['staged_line', 'received_line']) {
    await sql`
      create temp table if not exists ${sql.table(table)} on commit drop
      as select ${columnsOf('l')} from costs.cost_line l with no data`.execute(tx)
  }
}

function columnsOf(line: string): RawBuilder<unknown> {
  return sql.join(COLUMNS.map((column) => sql.ref(`${line}.${column}`)))
}

async function storeBatch(tx: ContextTx<'costs'>, { fresh, compared }: Batch): Promise<void> {
  await copyRows(tx, 'pg_temp.received_line', COLUMNS, compared)
  if (fresh.length === 0) return
  await copyRows(tx, 'pg_temp.staged_line', COLUMNS, fresh)
  const { rows } = await sql<SharedLine>`
    with target as not materialized (
      select ${TARGET_COLUMNS} from pg_temp.staged_line l where l.charge_category not in ('Tax', 'Credit')
    ),
    ${ladder()},
    stored as (
      insert into costs.cost_line (${sql.join(COLUMNS.map((column) => sql.ref(column)))},
        resource_id, tenant_id, deployment_id, match_status, match_method, match_reason)
      select ${columnsOf('l')}, d.resource_id, d.tenant_id, d.deployment_id,
        coalesce(d.match_status, 'not_applicable'), d.match_method,
        coalesce(d.match_reason, 'a ' || lower(l.charge_category) || ' line belongs to the whole bill')
      from pg_temp.staged_line l left join decision d on d.id = l.id
    )
    select d.id, trim_scale(l.amount) as amount, l.currency, d.shares
    from decided d join pg_temp.staged_line l on l.id = d.id where d.shares is not null`.execute(tx)
  await storeShares(tx, rows)
  await sql`truncate pg_temp.staged_line`.execute(tx)
}
