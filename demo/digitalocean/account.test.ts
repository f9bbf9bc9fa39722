import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { decimal, plain, sum } from '../../src/kernel/decimal.ts'
import {
  createDigitalOcean,
  type InvoiceItem,
  parseInvoiceCsv,
  parseInvoiceFilename,
} from '../../src/providers/digitalocean/index.ts'
import { demoAccount, DEMO_NOW, totalOf } from './account.ts'
import { csvFilename } from './documents.ts'
import { startDigitalOceanStandIn } from './server.ts'

const TOKEN = 'dop_v1_stand_in'
const account = demoAccount()
const standIn = await startDigitalOceanStandIn({ token: TOKEN, account })
const digitalOcean = createDigitalOcean({ token: TOKEN, api_url: standIn.url })
after(() => standIn.close())

const april = account.invoices.find((invoice) => invoice.invoice_period === '2026-04')
assert.ok(april)

test('the account is the same at every call', () => {
  assert.deepEqual(demoAccount(), account)
})

test('the bill of April 2026 has 33 lines: 79.02, GST 7.90, in all 86.92', () => {
  const taxes = april.items.filter((item) => item.product === 'Taxes')
  assert.equal(april.items.length, 33)
  assert.equal(totalOf(april.items), '86.92')
  assert.deepEqual(
    taxes.map(({ description, amount }) => [description, amount]),
    [['GST Australia (10%)', '7.90']],
  )
})

test('three studio droplets ran through all of April, 720 hours each, at the capped price', () => {
  const studio = april.items.filter((item) => item.description.startsWith('studio-'))
  assert.deepEqual(
    studio.map(({ duration, amount }) => [duration, amount]),
    Array.from({ length: 3 }, () => ['720', '4.00']),
  )
  const tagged = account.droplets.filter((droplet) => droplet.tags.includes('arcadia:boab:studio'))
  assert.equal(tagged.length, 3)
})

test('a worker was replaced in April: two lines of one name, and only the new one still exists', () => {
  const lines = april.items.filter((item) => item.description.startsWith('newsroom-worker-1 '))
  assert.deepEqual(
    lines.map(({ start_time, end_time, duration }) => [start_time, end_time, duration]),
    [
      ['2026-04-01T00:00:00Z', '2026-04-16T12:30:00Z', '372.5'],
      ['2026-04-16T12:00:00Z', '2026-05-01T00:00:00Z', '348'],
    ],
  )
  const alive = account.droplets.filter((droplet) => droplet.name === 'newsroom-worker-1')
  assert.deepEqual(
    alive.map((droplet) => String(droplet.id)),
    [lines[1]?.resource_id],
  )
})

test('a resized droplet has two lines in one bill, and neither names its id', () => {
  const lines = april.items.filter((item) => item.description.startsWith('catalogue-app-1 ('))
  const droplets = lines.filter((item) => item.product === 'Droplets')
  assert.equal(droplets.length, 2)
  assert.ok(droplets.every((item) => item.resource_id === undefined && item.resource_uuid === undefined))
})

test('the GPU droplet of April is on the bill and no longer in the inventory', async () => {
  const lines = april.items.filter((item) => item.product === 'GPU Droplets')
  const { kinds } = await digitalOcean.inventory()
  assert.equal(lines.length, 1)
  const listed = kinds.find(({ kind }) => kind === 'droplet')?.resources ?? []
  assert.ok(listed.length > 0 && !listed.some((droplet) => droplet.external_id === lines[0]?.resource_id))
})

test('there is one invoice for every month from March 2023 to April 2026, and a preview of May', async () => {
  const { invoices, preview } = await digitalOcean.invoices()
  assert.equal(invoices.length, 38)
  assert.equal(new Set(invoices.map((invoice) => invoice.invoice_period)).size, 38)
  assert.deepEqual([invoices.at(-1)?.invoice_period, invoices[0]?.invoice_period], ['2023-03', '2026-04'])
  assert.equal(preview?.invoice_period, '2026-05')
  assert.equal(preview?.updated_at?.toString(), DEMO_NOW.toString())
})

test('for every invoice the lines, the amount and the summary agree, and the CSV says the same as the items', async () => {
  const { invoices, preview } = await digitalOcean.invoices()
  assert.ok(preview)
  for (const { invoice_uuid, amount } of [...invoices, preview]) {
    const items = await digitalOcean.invoiceItems(invoice_uuid)
    const summary = await digitalOcean.invoiceSummary(invoice_uuid)
    const csv = parseInvoiceCsv(await digitalOcean.invoiceCsv(invoice_uuid))
    assert.equal(total(items.map((item) => item.amount)), amount)
    assert.equal(summary.amount, amount)
    const { product_charges, overages, taxes, credits_and_adjustments } = summary
    assert.equal(total([product_charges.amount, overages, taxes, credits_and_adjustments]), amount)
    assert.equal(total(product_charges.items.map((item) => item.amount)), product_charges.amount)
    assert.deepEqual(csv, { items: items.map(asInCsv), faults: [] })
  }
})

test('the preview is reached by its uuid and by the word preview', async () => {
  assert.deepEqual(
    await digitalOcean.invoiceItems('preview'),
    await digitalOcean.invoiceItems(account.preview.invoice_uuid),
  )
})

test('the balance is what is owed plus the running month, and what is owed is the history', async () => {
  const balance = await digitalOcean.balance()
  const history = await digitalOcean.billingHistory()
  assert.equal(balance.account_balance, '86.92')
  assert.equal(total(history.map((entry) => entry.amount)), balance.account_balance)
  assert.equal(balance.month_to_date_usage, total(account.preview.items.map((item) => item.amount)))
  assert.equal(total([balance.account_balance, balance.month_to_date_usage]), balance.month_to_date_balance)
})

test('the billing history has all ten types, and every invoice stands in it', async () => {
  const history = await digitalOcean.billingHistory()
  assert.equal(new Set(history.map((entry) => entry.type)).size, 10)
  const { invoices } = await digitalOcean.invoices()
  const billed = history.filter((entry) => entry.type === 'Invoice')
  assert.deepEqual(
    billed.map(({ invoice_uuid, invoice_id, amount }) => ({ invoice_uuid, invoice_id, amount })),
    invoices.map(({ invoice_uuid, invoice_id, amount }) => ({ invoice_uuid, invoice_id, amount })),
  )
})

test('the CSV is named as the provider names it', () => {
  assert.deepEqual(parseInvoiceFilename(csvFilename(account, april)), {
    period: '2026-04',
    account: account.account_number,
    invoice_number: april.invoice_id,
  })
})

function asInCsv(item: InvoiceItem): InvoiceItem {
  return { ...item, resource_id: null, resource_uuid: null, duration_unit: null }
}

function total(amounts: readonly string[]): string {
  return plain(sum(amounts.map((amount) => decimal(amount))))
}
