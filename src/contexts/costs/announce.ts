import { sql } from 'kysely'
import { decimal } from '../../kernel/decimal.ts'
import type { Period } from '../../kernel/period.ts'
import { type ContextTx, insertRows, rowset } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { BILL_CURRENCY } from './bill.ts'
import { lockBills } from './lock.ts'
import { loadKnownInvoices } from './bill-queries.ts'
import { announcedColumns } from './store-bill.ts'

/** What the provider says of an invoice before its lines are read. */
export type Announcement = {
  readonly invoice_uuid: string
  readonly invoice_number: string
  readonly period: Period
  readonly amount: string
}

export type KnownInvoice = {
  readonly id: string
  readonly status: 'announced' | 'preview' | 'issued'
  readonly provider_uuid: string | null
  readonly invoice_number: string | null
  readonly period_start: Temporal.PlainDate
  readonly amount: string
  /** Another amount that the provider has listed it with since it was issued, also where that is settled. */
  readonly listed_amount: string | null
  /** False: it is known that something differs, and not yet which lines. */
  readonly is_difference_read: boolean
  readonly read_from: 'items' | 'csv' | 'upload' | null
  readonly ingested_at: Temporal.Instant | null
  readonly compared_at: Temporal.Instant | null
}

/** A day, less what the daily run may come early. */
const REREAD_AFTER_HOURS = 20

/**
 * Records the invoices that the provider lists, and says which of them are to be read: the new ones, those whose last
 * reading failed, uploaded ones that were never compared, issued ones that are listed with another amount, and once a day
 * two that are issued, because a change that leaves the total as it is shows in the lines alone. `clashing` are known
 * invoices whose number the provider has given to another one, too.
 */
export async function announceInvoices(
  tx: ContextTx<'costs'>,
  { provider, announcements: listed }: { provider: string; announcements: readonly Announcement[] },
  { now, ids }: { now: Temporal.Instant; ids: Ids },
): Promise<{ new_count: number; unchanged_count: number; due: string[]; clashing: string[] }> {
  await lockBills(tx)
  const known = await loadKnownInvoices(tx, provider)
  const announcements = uniqueAnnouncements(listed)
  const { fresh, due, identified, amended, differing, clashing } = decideAnnouncements(known, announcements)
  due.push(...billsToReread(known, announcements, now).filter((id) => !due.includes(id)))
  const rows = fresh.map((header) => announcedRow(header, { id: ids.uuid(), provider, now }))
  await insertRows(tx, 'costs.provider_invoice', rows)
  await sql`
    update costs.provider_invoice i
    set provider_uuid = n.provider_uuid, invoice_number = coalesce(i.invoice_number, n.invoice_number)
    from ${rowset('costs.provider_invoice', identified)} n where i.id = n.id`.execute(tx)
  await sql`
    update costs.provider_invoice i set amount = n.amount, incomplete_readings = 0
    from ${rowset('costs.provider_invoice', amended)} n where i.id = n.id and i.status = 'announced'`.execute(tx)
  const differences = differing.map(({ id, amount }) => ({ id, difference: { amount, seen_at: now } }))
  await sql`
    update costs.provider_invoice i
    set difference = coalesce(i.difference, '{}') || n.difference, differing_lines = null
    from ${rowset('costs.provider_invoice', differences)} n where i.id = n.id`.execute(tx)
  const clashes = clashing.map(({ invoice_uuid, invoice_number, amount }) => ({
    invoice_number,
    difference: { invoice_uuid, amount, seen_at: now },
  }))
  const { rows: clashed } = await sql<{ id: string }>`
    update costs.provider_invoice i set difference = n.difference
    from ${rowset('costs.provider_invoice', clashes)} n
    where i.provider = ${provider} and i.invoice_number = n.invoice_number and i.status in ('announced', 'issued')
      and i.difference is null and not exists (
        select from costs.settled_difference s
        where s.provider_invoice_id = i.id and s.difference ->> 'invoice_uuid' = n.difference ->> 'invoice_uuid'
      )
    returning i.id`.execute(tx)
  return {
    new_count: rows.length,
    unchanged_count: announcements.length - rows.length - due.length - clashing.length,
    due: [...rows.map(({ id }) => id), ...due],
    clashing: clashed.map(({ id }) => id),
  }
}

/** The pages of the list overlap when an invoice comes while they are read. */
function uniqueAnnouncements(announcements: readonly Announcement[]): Announcement[] {
  return [...new Map(announcements.map((header) => [header.invoice_uuid, header])).values()]
}

function announcedRow(
  { invoice_uuid, amount, ...header }: Announcement,
  { id, provider, now }: { id: string; provider: string; now: Temporal.Instant },
) {
  const bill = {
    provider,
    billing_account: null,
    number_is_stated: false,
    currency: BILL_CURRENCY,
    issuer_name: null,
    ...header,
  }
  const columns = announcedColumns(bill, { amount, now })
  return { ...columns, id, external_id: invoice_uuid, provider_uuid: invoice_uuid }
}

export type AnnouncementChanges = {
  readonly fresh: Announcement[]
  /** Known ones whose lines are not stored, or not compared with what the provider says now. */
  readonly due: string[]
  /** Uploaded bills that the provider lists now. */
  readonly identified: { id: string; provider_uuid: string; invoice_number: string }[]
  readonly amended: { id: string; amount: string }[]
  /** Issued bills whose amount the provider has changed. */
  readonly differing: { id: string; amount: string }[]
  /** Unknown ones under the printed number of another: an alarm on that one, because one number is one bill. */
  readonly clashing: Announcement[]
}

export function decideAnnouncements(
  known: readonly KnownInvoice[],
  announcements: readonly Announcement[],
): AnnouncementChanges {
  const changes: AnnouncementChanges = {
    fresh: [],
    due: [],
    identified: [],
    amended: [],
    differing: [],
    clashing: [],
  }
  for (const header of announcements) {
    const hasNumber = ({ invoice_number }: { invoice_number: string | null }) =>
      invoice_number === header.invoice_number
    const isNumberKnown = known.some(hasNumber) || changes.fresh.some(hasNumber)
    const invoice = findKnown(known, header) ?? (isNumberKnown ? undefined : findUnnumbered(known, header))
    if (invoice !== undefined) compare(changes, invoice, header)
    else if (isNumberKnown) changes.clashing.push(header)
    else changes.fresh.push(header)
  }
  return changes
}

/** An uploaded bill is found under its printed number. */
function findKnown(known: readonly KnownInvoice[], header: Announcement): KnownInvoice | undefined {
  return (
    known.find((invoice) => invoice.provider_uuid === header.invoice_uuid) ??
    known.find((invoice) => invoice.provider_uuid === null && invoice.invoice_number === header.invoice_number)
  )
}

/** An uploaded bill whose file did not say its number is found by its month. */
function findUnnumbered(known: readonly KnownInvoice[], header: Announcement): KnownInvoice | undefined {
  return known.find(
    (invoice) =>
      invoice.provider_uuid === null &&
      invoice.invoice_number === null &&
      invoice.period_start.equals(header.period.start),
  )
}

function compare(changes: AnnouncementChanges, invoice: KnownInvoice, header: Announcement): void {
  const { id } = invoice
  const { invoice_number, amount } = header
  const is_identified = invoice.provider_uuid !== null
  const has_same_amount = isAmount(invoice.amount, amount)
  const is_unread_difference = !invoice.is_difference_read && !has_same_amount
  const is_newly_differing = invoice.status === 'issued' && !has_same_amount && !isAmount(invoice.listed_amount, amount)
  if (!is_identified) changes.identified.push({ id, provider_uuid: header.invoice_uuid, invoice_number })
  if (invoice.status === 'announced' || isNeverCompared(invoice) || is_unread_difference || is_newly_differing)
    changes.due.push(id)
  if (invoice.status === 'announced' && !has_same_amount) changes.amended.push({ id, amount })
  if (is_newly_differing) changes.differing.push({ id, amount })
}

function isAmount(amount: string | null, other: string): boolean {
  return amount !== null && decimal(amount).eq(decimal(other))
}

function isNeverCompared({ read_from, compared_at }: KnownInvoice): boolean {
  return read_from === 'upload' && compared_at === null
}

/**
 * Of the issued bills that are listed: the newest, once a day, and with it the one of the others of a year that was not
 * read for longest, so that each of them comes round in two weeks.
 */
export function billsToReread(
  known: readonly KnownInvoice[],
  announcements: readonly Announcement[],
  now: Temporal.Instant,
): string[] {
  const listed = new Set<string | null>(announcements.map(({ invoice_uuid }) => invoice_uuid))
  const [newest, ...others] = known
    .filter(({ status, provider_uuid }) => status === 'issued' && listed.has(provider_uuid))
    .toSorted((a, b) => Temporal.PlainDate.compare(b.period_start, a.period_start))
  if (newest === undefined || wasReadLately(newest, now)) return []
  const since = newest.period_start.subtract({ months: REREAD_MAX_MONTHS })
  const [stalest] = others
    .filter((bill) => Temporal.PlainDate.compare(bill.period_start, since) >= 0 && !wasReadLately(bill, now))
    .toSorted((a, b) => readAtOf(a) - readAtOf(b))
  return [newest.id, ...(stalest ? [stalest.id] : [])]
}

const REREAD_MAX_MONTHS = 12

function wasReadLately(bill: KnownInvoice, now: Temporal.Instant): boolean {
  return readAtOf(bill) > now.subtract({ hours: REREAD_AFTER_HOURS }).epochMilliseconds
}

function readAtOf({ compared_at, ingested_at }: KnownInvoice): number {
  return (compared_at ?? ingested_at)?.epochMilliseconds ?? 0
}
