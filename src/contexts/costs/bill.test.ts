import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assert as check, constantFrom, property, shuffledSubarray } from 'fast-check'
import { demoAccount } from '../../../demo/digitalocean/account.ts'
import { csvOf, summaryOf } from '../../../demo/digitalocean/documents.ts'
import { period } from '../../kernel/period.ts'
import { createDigitalOcean, type InvoiceItem, parseInvoiceCsv } from '../../providers/digitalocean/index.ts'
import { contentHash, costLines, summaryFaults, totalsOf } from './bill.ts'

const APRIL = period('2026-04-01', '2026-05-01')
const bills = demoAccount().invoices
const april = bills.find(({ invoice_period }) => invoice_period === '2026-04')
assert.ok(april)
const items = await itemsOf(april)
const lines = costLines(items, { id: 'bill', provider: 'digitalocean', period: APRIL }, () => 'line')

test('the items and the CSV of one bill have the same content', async () => {
  for (const bill of bills) {
    const csv = parseInvoiceCsv(csvOf(bill))
    assert.deepEqual(csv.faults, [])
    assert.equal(contentHash(csv.items), contentHash(await itemsOf(bill)), bill.invoice_period)
  }
})

test('the order of rows is not content', () => {
  check(
    property(shuffledSubarray(items, { minLength: items.length }), (shuffled) => {
      assert.equal(contentHash(shuffled), contentHash(items))
    }),
  )
})

test('every text, amount and time is content, and so is a row that comes twice', () => {
  const changes: Partial<InvoiceItem>[] = [
    { amount: '0.01' },
    { description: 'other' },
    { product: 'Other' },
    { project_name: 'other' },
    { group_description: 'other' },
    { duration: '1.5' },
    { start: Temporal.Instant.from('2026-04-02T00:00:01Z') },
    { end: null },
  ]
  check(
    property(constantFrom(...items.keys()), constantFrom(...changes), (index, change) => {
      const changed = items.map((item, at) => (at === index ? Object.assign({}, item, change) : item))
      assert.notEqual(contentHash(changed), contentHash(items))
    }),
  )
  assert.notEqual(contentHash([...items, ...items.slice(0, 1)]), contentHash(items))
})

test('the lines of a bill add up to it, tax apart', () => {
  assert.deepEqual(totalsOf(lines), { lines_amount: '86.92', tax_amount: '7.9', line_count: 33 })
})

test('a product that nobody has seen is kept, as unclassified', () => {
  const line = lines.find(({ product }) => product === 'Widget Fabric')
  assert.deepEqual(
    [line?.kind, line?.charge_category, line?.amount, line?.match_status],
    ['unclassified', 'Usage', '4.17', 'unmatched'],
  )
})

test('tax and credits are not to be matched', () => {
  const apart = lines.filter(({ match_status }) => match_status === 'not_applicable')
  assert.deepEqual(apart.map(({ charge_category }) => charge_category).toSorted(), ['Credit', 'Tax'])
})

test('an item without times is charged for the month', () => {
  const [item] = items
  assert.ok(item)
  const bare = { ...item, start: null, end: null }
  const [line] = costLines([bare], { id: 'bill', provider: 'digitalocean', period: APRIL }, () => 'line')
  assert.equal(line?.charge_start.toString(), '2026-04-01T00:00:00Z')
  assert.equal(line?.charge_end.toString(), '2026-05-01T00:00:00Z')
})

test('a summary that agrees has no faults, and each total that differs is named', async () => {
  const bill = { amount: '86.92', lines }
  const summary = await summaryOfApril()
  assert.deepEqual(summaryFaults(summary, bill), [])
  assert.deepEqual(summaryFaults({ ...summary, taxes: '7.91' }, bill), [
    'the total of the summary: 86.92, its parts: 86.93',
    'taxes in the summary: 7.91, the tax lines: 7.9',
  ])
  const { product_charges } = summary
  const more = { ...product_charges, items: [...product_charges.items, { name: 'Functions', amount: '1' }] }
  assert.deepEqual(summaryFaults({ ...summary, product_charges: more }, bill), [
    'Functions in the summary: 1, the lines: 0',
  ])
  assert.match(summaryFaults(summary, { amount: '86.91', lines })[0] ?? '', /the invoice: 86.91/)
})

async function itemsOf(bill: (typeof bills)[number]): Promise<InvoiceItem[]> {
  return answering({ invoice_items: bill.items }).invoiceItems('any')
}

async function summaryOfApril() {
  assert.ok(april)
  return answering(summaryOf(april)).invoiceSummary('any')
}

function answering(body: unknown) {
  return createDigitalOcean({ token: 'any', fetch: async () => Response.json(body) })
}
