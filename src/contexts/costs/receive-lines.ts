import { type RawBuilder, sql } from 'kysely'
import { present } from '../../kernel/invariant.ts'
import { dateIn, instantsOf, laterInstant, monthLabel, monthOf, type Window } from '../../kernel/period.ts'
import { type ContextTx, COPY_NULL, CopyBuffer, copyRow, copyRows, copyText } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import type { BillLine } from '../../providers/bill-line.ts'
import type { BillKey, BillRow } from '../../providers/bill-reader.ts'
import { allocateLines } from './allocate-lines.ts'
import { type BillContent, createTally, type Tally, timeOf } from './bill.ts'
import { ladder, prepareLadder, runLadder, TARGET_COLUMNS } from './ladder.ts'
import { makeSplitTable, storeSplits } from './line-shares.ts'
import type { InvoiceToStore } from './bill-queries.ts'
import { loadPlainNames, MATCH_COLUMNS, NO_PLAIN_NAMES, type PlainNames } from './plain-names.ts'

export type ReceivedBill = {
  readonly invoice: InvoiceToStore
  readonly content: BillContent
  /**
   * The months that its lines are charged for, when none of those that say so touches its own period; else empty, and
   * also where the file says its month, which may have been billed for nothing but an earlier one.
   */
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
  await makeSplitTable(tx)
  const bills = new Map<string, OpenBill>()
  let plainNames = NO_PLAIN_NAMES
  let batch = emptyBatch()
  let spare = emptyBatch()
  let stored = Promise.resolve()
  try {
    for await (const part of rows) {
      for (const key of new Set(part.map(({ bill }) => bill))) {
        if (bills.has(nameOf(key))) continue
        await stored
        bills.set(nameOf(key), openBill(key, await open(key)))
      }
      if (plainNames === NO_PLAIN_NAMES && batch.line_count >= FEW_LINES) {
        await stored
        plainNames = await loadPlainNames(tx)
      }
      placeLines(part, { bills, batch, plainNames, ids })
      if (batch.line_count < BATCH_MIN_LINES) continue
      await stored
      clear(spare)
      // The ladder reads the inventory each time: its lines wait until there are enough of them.
      if (batch.staged_count < LADDER_MIN_LINES) swapStaged(batch, spare)
      stored = storeBatch(tx, batch)
      // Whoever waits for it next gets the failure; until then it is nobody's.
      stored.catch(() => {})
      ;[batch, spare] = [spare, batch]
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

/**
 * Puts the lines that were received as a version of the bill `from` into the books as those of the new bill `to`, matched.
 */
export async function storeReceived(
  tx: ContextTx<'costs'>,
  { from, to, line_count }: { from: string; to: string; line_count: number },
): Promise<void> {
  const others = COLUMNS.filter((column) => column !== 'provider_invoice_id')
  const target = sql.join(['provider_invoice_id', ...others].map((column) => sql.ref(column)))
  const source = sql`select ${to}::uuid, ${columnsOf('l', others)}`
  await sql`
    insert into costs.cost_line (${target}, match_status, match_reason)
    ${source}, 'not_applicable', 'a ' || lower(l.charge_category) || ' line belongs to the whole bill'
    from pg_temp.received_line l
    where l.provider_invoice_id = ${from} and l.charge_category in ('Tax', 'Credit')`.execute(tx)
  for (let first = 0; first < line_count; first += LADDER_MIN_LINES) {
    await sql`
      insert into pg_temp.staged_line (${target}) ${source} from pg_temp.received_line l
      where l.provider_invoice_id = ${from} and l.charge_category not in ('Tax', 'Credit')
        and l.position >= ${first} and l.position < ${first + LADDER_MIN_LINES}`.execute(tx)
    await storeStaged(tx)
  }
  await allocateLines(tx, { provider_invoice_ids: [to] })
}

/** Lines that are in memory, as rows of one bill. */
export async function* rowsOf(lines: readonly BillLine[]): AsyncGenerator<BillRow[]> {
  for (let first = 0; first < lines.length; first += FEW_LINES) {
    yield lines.slice(first, first + FEW_LINES).map((line) => ({ bill: null, line }))
  }
}

/** Of one statement: two batches are in memory, one that is stored and one that is read meanwhile. */
const BATCH_MIN_LINES = 10_000
const LADDER_MIN_LINES = 20_000
/** So many take the ladder before it pays to load what is needed to match more without it. */
const FEW_LINES = 2_000

/** Lines that are matched, that take the ladder, and that are only compared. */
type Batch = Record<'settled' | 'staged' | 'compared', CopyBuffer> & { line_count: number; staged_count: number }

function emptyBatch(): Batch {
  const [settled, staged, compared] = [new CopyBuffer(), new CopyBuffer(), new CopyBuffer()]
  return { settled, staged, compared, line_count: 0, staged_count: 0 }
}

function clear(batch: Batch): void {
  for (const kind of KINDS) batch[kind].clear()
  batch.line_count = 0
  batch.staged_count = 0
}

function swapStaged(one: Batch, other: Batch): void {
  ;[one.staged, other.staged] = [other.staged, one.staged]
  ;[one.staged_count, other.staged_count] = [other.staged_count, one.staged_count]
}

const KINDS = ['settled', 'staged', 'compared'] as const

type OpenBill = {
  readonly invoice: InvoiceToStore
  readonly window: Window
  /** It is issued: its lines are only compared. */
  readonly is_compared: boolean
  readonly tally: Tally
  /** Of its lines, until one is of its own. */
  months: Set<string> | 'its own'
}

function openBill(key: BillKey | null, invoice: InvoiceToStore): OpenBill {
  return {
    invoice,
    window: instantsOf(invoice.period, 'UTC'),
    is_compared: invoice.status === 'issued',
    tally: createTally(),
    months: key === null ? new Set() : 'its own',
  }
}

function nameOf(bill: BillKey | null): string {
  if (bill === null) return ''
  const { provider, billing_account, billing_period, invoice_number, currency, issuer_name } = bill
  const { start, end } = billing_period
  return JSON.stringify([provider, billing_account, start, end, invoice_number, currency, issuer_name])
}

type Placing = {
  readonly bills: ReadonlyMap<string, OpenBill>
  readonly batch: Batch
  readonly plainNames: PlainNames
  readonly ids: Ids
}

function placeLines(rows: readonly BillRow[], { bills, batch, plainNames, ids }: Placing): void {
  const byKey = new Map<BillKey | null, OpenBill>()
  const texts = { settled: '', staged: '', compared: '' }
  for (const { bill: key, line } of rows) {
    const bill = byKey.get(key) ?? present(bills.get(nameOf(key)), 'each bill of a part is open')
    byKey.set(key, bill)
    const fields = placeLine(line, bill, ids.uuid())
    const settled = bill.is_compared ? null : settle(line, bill, plainNames)
    if (settled) fields.push(...settled)
    else if (!bill.is_compared) batch.staged_count += 1
    texts[settled ? 'settled' : bill.is_compared ? 'compared' : 'staged'] += copyRow(fields)
  }
  for (const kind of KINDS) batch[kind].add(texts[kind])
  batch.line_count += rows.length
}

/** The fields of MATCH_COLUMNS, where they can be told without the ladder. */
function settle(line: BillLine, { invoice, window }: OpenBill, plainNames: PlainNames): readonly string[] | null {
  const { charge_category, start, end } = line
  if (charge_category === 'Tax' || charge_category === 'Credit') {
    const reason = `a ${charge_category.toLowerCase()} line belongs to the whole bill`
    return [COPY_NULL, COPY_NULL, COPY_NULL, 'not_applicable', COPY_NULL, reason]
  }
  const start_ms = timeOf(start ?? window.start).ms
  const end_ms = Math.max(timeOf(end ?? window.end).ms, start_ms + MOMENT_MS)
  return plainNames(line, { provider: invoice.provider, start_ms, end_ms })
}

/** As the ladder has it: the window of a charge for one moment is that second. */
const MOMENT_MS = 1_000

/** The fields of COLUMNS. A line that does not say when is charged for the period of the bill. */
function placeLine(line: BillLine, bill: OpenBill, id: string): (string | number)[] {
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
    copyText(line.service_name),
    copyText(line.product),
    copyText(line.group_description),
    copyText(line.description),
    line.amount,
    line.quantity ?? COPY_NULL,
    copyText(line.unit),
    timeOf(start).text,
    timeOf(line.start && line.end ? line.end : laterInstant(start, line.end ?? window.end)).text,
    copyText(line.project),
    copyText(line.external_resource_id),
    copyText(line.external_resource_uuid),
    copyText(line.resource_name),
    copyText(line.region),
    line.extra ? copyText(JSON.stringify(line.extra)) : COPY_NULL,
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
      as select ${columnsOf('l', COLUMNS)} from costs.cost_line l with no data`.execute(tx)
  }
}

function columnsOf(table: string, columns: readonly string[]): RawBuilder<unknown> {
  return sql.join(columns.map((column) => sql.ref(`${table}.${column}`)))
}

async function storeBatch(tx: ContextTx<'costs'>, { settled, staged, compared }: Batch): Promise<void> {
  await copyRows(tx, 'pg_temp.received_line', COLUMNS, compared)
  await copyRows(tx, 'costs.cost_line', [...COLUMNS, ...MATCH_COLUMNS], settled)
  if (staged.rows.length === 0) return
  await copyRows(tx, 'pg_temp.staged_line', COLUMNS, staged)
  await storeStaged(tx)
}

/** The lines in `pg_temp.staged_line` take the ladder into the books. */
async function storeStaged(tx: ContextTx<'costs'>): Promise<void> {
  await runLadder(tx, {
    target: sql`select ${TARGET_COLUMNS} from pg_temp.staged_line l`,
    statement: sql`
      with ${ladder()},
      stored as (
        insert into costs.cost_line (${sql.join([...COLUMNS, ...MATCH_COLUMNS].map((column) => sql.ref(column)))})
        select ${columnsOf('l', COLUMNS)}, ${columnsOf('d', MATCH_COLUMNS)}
        from pg_temp.staged_line l join decision d on d.id = l.id
      )
      insert into pg_temp.split_line (id, amount, currency, shares)
      select d.id, l.amount, l.currency, d.shares
      from decision d join pg_temp.staged_line l on l.id = d.id where d.shares is not null`,
  })
  await storeSplits(tx)
  await sql`truncate pg_temp.staged_line`.execute(tx)
}
