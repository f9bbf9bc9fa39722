import { sql } from 'kysely'
import { decimal } from '../../kernel/decimal.ts'
import type { Period } from '../../kernel/period.ts'
import { type ContextTx, insertRows, rowset } from '../../platform/db.ts'
import type { Ids } from '../../platform/ids.ts'
import { BILL_CURRENCY } from './bill.ts'
import { lockBills } from './lock.ts'
import { loadKnownInvoices } from './queries.ts'
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
  readonly difference: unknown
  readonly read_from: 'items' | 'csv' | 'upload' | null
  readonly compared_at: Temporal.Instant | null
}

/**
 * Records the invoices that the provider lists, and says which of them are to be read: the new ones, those whose last
 * reading failed, and uploaded ones that were never compared.
 */
export async function announceInvoices(
  tx: ContextTx<'costs'>,
  { provider, announcements }: { provider: string; announcements: readonly Announcement[] },
  { now, ids }: { now: Temporal.Instant; ids: Ids },
): Promise<{ new_count: number; unchanged_count: number; due: string[] }> {
  await lockBills(tx)
  const known = await loadKnownInvoices(tx, provider)
  const { fresh, due, identified, amended, differing, clashing } = decideAnnouncements(known, announcements)
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
    update costs.provider_invoice i set difference = n.difference
    from ${rowset('costs.provider_invoice', differences)} n where i.id = n.id`.execute(tx)
  const clashes = clashing.map(({ invoice_uuid, invoice_number, amount }) => ({
    invoice_number,
    difference: { invoice_uuid, amount, seen_at: now },
  }))
  await sql`
    update costs.provider_invoice i set difference = n.difference
    from ${rowset('costs.provider_invoice', clashes)} n
    where i.provider = ${provider} and i.invoice_number = n.invoice_number and i.status <> 'preview'
      and i.difference is null`.execute(tx)
  return {
    new_count: rows.length,
    unchanged_count: announcements.length - rows.length - due.length - clashing.length,
    due: [...rows.map(({ id }) => id), ...due],
  }
}

function announcedRow(
  { invoice_uuid, ...header }: Announcement,
  { id, provider, now }: { id: string; provider: string; now: Temporal.Instant },
) {
  const columns = announcedColumns({ provider, currency: BILL_CURRENCY, ...header }, now)
  return { ...columns, id, external_id: invoice_uuid, provider_uuid: invoice_uuid }
}

export type AnnouncementChanges = {
  readonly fresh: Announcement[]
  /** Known ones whose lines are not stored, or were never compared. */
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
  const has_same_amount = decimal(invoice.amount).eq(decimal(amount))
  if (!is_identified) changes.identified.push({ id, provider_uuid: header.invoice_uuid, invoice_number })
  if (invoice.status === 'announced' || isNeverCompared(invoice)) changes.due.push(id)
  if (has_same_amount) return
  if (invoice.status === 'announced') changes.amended.push({ id, amount })
  else if (invoice.difference === null) changes.differing.push({ id, amount })
}

function isNeverCompared({ read_from, compared_at }: KnownInvoice): boolean {
  return read_from === 'upload' && compared_at === null
}
