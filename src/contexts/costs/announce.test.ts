import assert from 'node:assert/strict'
import { test } from 'node:test'
import { period } from '../../kernel/period.ts'
import { type Announcement, decideAnnouncements, type KnownInvoice, billsToReread } from './announce.ts'

const APRIL = period('2026-04-01', '2026-05-01')
const header: Announcement = { invoice_uuid: 'u-1', invoice_number: '512', period: APRIL, amount: '86.92' }
const issued: KnownInvoice = {
  id: 'i-1',
  status: 'issued',
  provider_uuid: 'u-1',
  invoice_number: '512',
  period_start: APRIL.start,
  amount: '86.92',
  listed_amount: null,
  is_difference_read: true,
  read_from: 'items',
  ingested_at: Temporal.Instant.from('2026-05-01T06:00:00Z'),
  compared_at: null,
}
const uploaded: KnownInvoice = { ...issued, provider_uuid: null, read_from: 'upload' }
const nothing = { fresh: [], due: [], identified: [], amended: [], differing: [], clashing: [] }

test('an invoice that is not known is new', () => {
  assert.deepEqual(decideAnnouncements([], [header]), { ...nothing, fresh: [header] })
})

test('an issued invoice over the same amount needs nothing, however the amount is spelled', () => {
  assert.deepEqual(decideAnnouncements([issued], [{ ...header, amount: '86.920' }]), nothing)
})

test('an announced invoice is due again, with the amount as it is now', () => {
  const announced = { ...issued, status: 'announced' } as const
  assert.deepEqual(decideAnnouncements([announced], [{ ...header, amount: '87' }]), {
    ...nothing,
    due: ['i-1'],
    amended: [{ id: 'i-1', amount: '87' }],
  })
})

test('another amount for an issued invoice is a difference, told once, and its lines are due until they are read', () => {
  const other = { ...header, amount: '87' }
  const told = { ...nothing, due: ['i-1'], differing: [{ id: 'i-1', amount: '87' }] }
  assert.deepEqual(decideAnnouncements([issued], [other]), told)
  const unread = { ...issued, listed_amount: '87.0', is_difference_read: false }
  assert.deepEqual(decideAnnouncements([unread], [other]), { ...nothing, due: ['i-1'] })
  const read = { ...unread, is_difference_read: true }
  assert.deepEqual(decideAnnouncements([read], [other]), nothing)
  assert.deepEqual(decideAnnouncements([{ ...read, listed_amount: '88' }], [other]), told)
})

test('of the issued invoices that are listed the newest is read again once a day, and the stalest of its year with it', () => {
  const older = { ...issued, id: 'i-0', provider_uuid: 'u-0', period_start: APRIL.start.subtract({ months: 1 }) }
  const unlisted = { ...issued, id: 'i-2', provider_uuid: 'u-2', period_start: APRIL.end }
  const headers = [header, { ...header, invoice_uuid: 'u-0', invoice_number: '511' }]
  const at = (now: string, invoice: KnownInvoice = issued) =>
    billsToReread([older, invoice, unlisted], headers, Temporal.Instant.from(now))
  assert.deepEqual(at('2026-05-01T07:00:00Z'), [])
  assert.deepEqual(at('2026-05-02T06:00:00Z'), ['i-1', 'i-0'])
  const compared_at = Temporal.Instant.from('2026-05-02T06:00:00Z')
  assert.deepEqual(at('2026-05-02T06:30:00Z', { ...issued, compared_at }), [])
})

test('every older bill of a year comes round, the one that was not read for longest first', () => {
  const bills = Array.from({ length: 15 }, (_, ago) => ({
    ...issued,
    id: `ago-${ago}`,
    provider_uuid: `u-${ago}`,
    period_start: APRIL.start.subtract({ months: ago }),
  }))
  const headers = bills.map(({ provider_uuid }) => ({ ...header, invoice_uuid: provider_uuid }))
  const read: string[] = []
  let known: KnownInvoice[] = bills
  for (let day = 0; day < 13; day += 1) {
    const now = Temporal.Instant.from('2026-05-03T06:00:00Z').add({ hours: 24 * day })
    const due = billsToReread(known, headers, now)
    assert.equal(due[0], 'ago-0')
    read.push(...due.slice(1))
    known = known.map((bill) => (due.includes(bill.id) ? { ...bill, compared_at: now } : bill))
  }
  assert.deepEqual(
    read.slice(0, 12),
    Array.from({ length: 12 }, (_, n) => `ago-${n + 1}`),
  )
  assert.equal(read[12], 'ago-1')
})

test('an uploaded invoice is the same under its printed number, or its month, and is compared once', () => {
  const identified = { id: 'i-1', provider_uuid: 'u-1', invoice_number: '512' }
  for (const invoice_number of ['512', null]) {
    assert.deepEqual(decideAnnouncements([{ ...uploaded, invoice_number }], [header]), {
      ...nothing,
      due: ['i-1'],
      identified: [identified],
    })
  }
  assert.deepEqual(decideAnnouncements([{ ...uploaded, invoice_number: '513' }], [header]).fresh, [header])
})

test('an uploaded invoice is due until it has been compared', () => {
  const identified: KnownInvoice = { ...uploaded, provider_uuid: 'u-1' }
  assert.deepEqual(decideAnnouncements([identified], [header]), { ...nothing, due: ['i-1'] })
  const compared_at = Temporal.Instant.from('2026-05-02T06:00:00Z')
  assert.deepEqual(decideAnnouncements([{ ...identified, compared_at }], [header]), nothing)
})

test('another invoice under a known number is an alarm, and neither new nor taken for an uploaded one', () => {
  const other = { ...header, invoice_uuid: 'u-2' }
  const unnumbered = { ...uploaded, id: 'i-2', invoice_number: null }
  assert.deepEqual(decideAnnouncements([issued, unnumbered], [other]), { ...nothing, clashing: [other] })
  assert.deepEqual(decideAnnouncements([], [header, other]), { ...nothing, fresh: [header], clashing: [other] })
})
