import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Company, testCompany } from './company.fixture.ts'

let company: Company

before(async () => {
  company = await testCompany()
  const annual = { currency: 'AUD', interval: 'year', base_price_cents: 36_500 }
  await company.post('/plans', { code: 'annual', name: 'Annual', version: annual })
  await company.post('/plans/annual/versions/1/publish')
})
after(() => company.close())

type Item = { description: string; amount_cents: number }
type Month = { period: { start: string }; is_issued: boolean; difference_cents: number }
const items = (rows: Item[]) => rows.map((row) => `${row.description.split(' (')[0]} ${row.amount_cents}`)
const months = (rows: Month[]) => rows.map((row) => [row.period.start, row.is_issued, row.difference_cents])

async function subscribed(tenant_id: string, order: object = {}) {
  const deployment_id = await company.tenant(tenant_id)
  return { deployment_id, path: `/subscriptions/${(await company.subscribe(deployment_id, order)).id}` }
}

async function issued(tenant_id: string, period: string) {
  await company.rollup({ tenant_id, period })
  await company.post(`/invoices/${(await company.invoice(tenant_id, period)).id}/issue`)
}

/** The invoice as it is made, with what the preview knows of one. */
async function invoiced(tenant_id: string, period: string) {
  await company.rollup({ tenant_id, period })
  const { lines, subtotal_cents, tax_cents, total_cents } = await company.invoice(tenant_id, period)
  return { items: items(lines), subtotal_cents, tax_cents, total_cents }
}

const foreseen = (quote: { lines: Item[]; subtotal_cents: number; tax_cents: number; total_cents: number }) => ({
  items: items(quote.lines),
  subtotal_cents: quote.subtotal_cents,
  tax_cents: quote.tax_cents,
  total_cents: quote.total_cents,
})

test('a yearly plan that is left with the end of the month shows what is given back in that month', async () => {
  company.clock.set('2026-05-02T06:00:00Z')
  const { path } = await subscribed('leaver', { plan_code: 'annual' })
  await issued('leaver', '2026-04')
  const preview = await company.post(`${path}/cancel?preview=true`, { when: 'period_end' })
  // 61 of the 365 days are gone; 304 are given back, with the tax.
  assert.deepEqual(months(preview.months), [['2026-05-01', false, -33_440]])
  assert.deepEqual(items(preview.months[0].credited), ['annual v1 base price, rest of the year 30400', 'GST 10 % 3040'])
  assert.equal(preview.difference_cents, -33_440)
  await company.post(`${path}/cancel`, { when: 'period_end' })
  company.clock.set('2026-06-02T06:00:00Z')
  assert.deepEqual(await invoiced('leaver', '2026-05'), foreseen(preview.next_invoice.after))
})

test('what changes in an issued month is told as the next invoice shows it, taxed with the month that it is on', async () => {
  company.clock.set('2026-05-02T06:00:00Z')
  const { deployment_id, path } = await subscribed('late')
  await company.ask('late', deployment_id, { charge: '0.04', occurred_at: '2026-04-10T00:00:00Z' })
  await issued('late', '2026-04')
  const override = { base_price_cents: 5_002, start_date: '2026-04-01', end_date: '2026-05-01' }
  const preview = await company.post(`${path}/overrides?preview=true`, override)
  // Taxed by itself April comes to 50.06 and 5.01, of 50.04 and 5.00; with May it is 50.02 and 5.00, of 50.00 and 5.00.
  assert.deepEqual(months(preview.months), [['2026-04-01', true, 3]])
  assert.deepEqual(preview.next_invoice.period, { start: '2026-05-01', end: '2026-06-01' })
  assert.deepEqual(items(preview.next_invoice.charged), ['Adjustment of 2026-04 2'])
  assert.deepEqual([preview.next_invoice.difference_cents, preview.difference_cents], [2, 2])
  await company.post(`${path}/overrides`, override)
  company.clock.set('2026-06-02T06:00:00Z')
  assert.deepEqual(await invoiced('late', '2026-05'), foreseen(preview.next_invoice.after))
})

test('the next invoice has the issued months and its own; each later month counts by itself', async () => {
  company.clock.set('2026-06-02T06:00:00Z')
  const { path } = await subscribed('reaching', { start_date: '2026-03-01' })
  for (const month of ['2026-03', '2026-04']) await issued('reaching', month)
  await company.rollup({ tenant_id: 'reaching', period: '2026-05' })
  const addon = { code: 'storage_50gb', start_date: '2026-03-17' }
  const preview = await company.post(`${path}/addons?preview=true`, addon)
  assert.deepEqual(months(preview.months), [
    ['2026-03-01', true, 399],
    ['2026-04-01', true, 825],
    ['2026-05-01', false, 825],
    ['2026-06-01', false, 825],
  ])
  const { next_invoice, difference_cents, billed_by_hand } = preview
  // 3.63, 7.50 and 7.50, taxed together.
  assert.deepEqual([next_invoice.period.start, next_invoice.difference_cents], ['2026-05-01', 2_049])
  assert.deepEqual([difference_cents, billed_by_hand], [2_049 + 825, null])
  await company.post(`${path}/addons`, addon)
  await company.rollup({ tenant_id: 'reaching', period: '2026-05', force: true })
  assert.deepEqual(await invoiced('reaching', '2026-05'), foreseen(next_invoice.after))
})

test('months that no invoice adjusts any more are named, and not counted', async () => {
  company.clock.set('2026-05-02T06:00:00Z')
  const { path } = await subscribed('longstanding', { start_date: '2024-02-15' })
  const change = (end_date: string) => company.post(`${path}/cancel?preview=true`, { end_date })
  const preview = await change('2024-02-15')
  assert.deepEqual(preview.billed_by_hand, { start: '2024-02-01', end: '2025-05-01' })
  assert.equal(preview.months.length, 13)
  assert.equal(preview.months[0].period.start, '2025-05-01')
  assert.equal(preview.difference_cents, 13 * -5_500)
  assert.equal((await change('2025-05-02')).billed_by_hand, null)
  // May 2025 to March 2026 is what an invoice of April still adjusts, and with it April 2025.
  await issued('longstanding', '2026-03')
  assert.equal((await change('2024-02-15')).billed_by_hand.end, '2025-04-01')
})

test('a change that changes no amount has no months and no invoice', async () => {
  company.clock.set('2026-05-02T06:00:00Z')
  const { path } = await subscribed('same')
  const preview = await company.post(`${path}/overrides?preview=true`, { base_price_cents: 5_000 })
  assert.deepEqual([preview.months, preview.next_invoice, preview.difference_cents], [[], null, 0])
})

test('a transition shows what it makes of the next invoice, and is not carried out', async () => {
  company.clock.set('2026-05-11T06:00:00Z')
  const { deployment_id, path } = await subscribed('moving', { plan_code: 'annual', start_date: '2026-04-01' })
  await company.post(`${path}/addons`, { code: 'storage_50gb', start_date: '2026-05-01' })
  await issued('moving', '2026-04')
  const transition = `/deployments/${deployment_id}/transition`
  const preview = (to: string) => company.post(`${transition}?preview=true`, { to })
  // 21 of 365 days of 365.00 come back, and of 7.50 only 10 of 31 days stay.
  const paused = await preview('paused')
  assert.deepEqual(items(paused.months[0].credited), [
    'Addon: storage_50gb 508',
    'GST 10 % 261',
    'annual v1 base price, days paused 2100',
  ])
  // 325 days come back, and the day itself is the first without the add-on.
  const cancelled = await preview('cancelled')
  assert.deepEqual(items(cancelled.next_invoice.after.lines), [
    'annual v1 base price, rest of the year -32500',
    'Addon: storage_50gb 242',
    'GST 10 % -3226',
  ])
  assert.equal(cancelled.subscription.ends_on, '2026-05-11')
  for (const to of ['past_due', 'suspended']) {
    assert.deepEqual(await preview(to), {
      subscription: null,
      months: [],
      next_invoice: null,
      billed_by_hand: null,
      difference_cents: 0,
    })
  }
  const { state, subscription } = await company.ok('GET', `/deployments/${deployment_id}`)
  assert.deepEqual([state, subscription.mode, subscription.ends_on], ['active', 'normal', null])

  await company.post(transition, { to: 'paused' })
  company.clock.set('2026-05-21T06:00:00Z')
  const active = await preview('active')
  assert.equal(active.difference_cents, active.next_invoice.difference_cents)
  await company.post(transition, { to: 'active' })
  company.clock.set('2026-06-02T06:00:00Z')
  assert.deepEqual(await invoiced('moving', '2026-05'), foreseen(active.next_invoice.after))
})

test('a transition of a deployment without a subscription, or whose subscription is over, changes no invoice', async () => {
  company.clock.set('2026-05-11T06:00:00Z')
  const free = await company.tenant('free')
  const { deployment_id: over, path } = await subscribed('over')
  await company.post(`${path}/cancel`, {})
  for (const id of [free, over]) {
    const { subscription, months } = await company.post(`/deployments/${id}/transition?preview=true`, {
      to: 'cancelled',
    })
    assert.deepEqual([subscription, months], [null, []])
  }
})

test('a subscription that is still to come is called off with its deployment, in the month that it would begin in', async () => {
  company.clock.set('2026-05-11T06:00:00Z')
  const { deployment_id } = await subscribed('early', { start_date: '2026-06-10' })
  const { months: changed, next_invoice } = await company.post(
    `/deployments/${deployment_id}/transition?preview=true`,
    { to: 'cancelled' },
  )
  assert.deepEqual(months(changed), [['2026-06-01', false, -3_850]])
  assert.equal(next_invoice.after.total_cents, 0)
})
