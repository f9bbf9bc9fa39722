import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assert as check, constantFrom, property, shuffledSubarray } from 'fast-check'
import { demoAccount } from '../../../demo/digitalocean/account.ts'
import { csvOf } from '../../../demo/digitalocean/documents.ts'
import type { BillLine } from '../../providers/bill-line.ts'
import { createDigitalOcean, parseInvoiceCsv, toBillLine } from '../../providers/digitalocean/index.ts'
import { contentOf } from './bill.ts'

const bills = demoAccount().invoices
const april = bills.find(({ invoice_period }) => invoice_period === '2026-04')
assert.ok(april)
const lines = await linesOf(april)
const { content_hash } = contentOf(lines)

test('the items and the CSV of one bill have the same content', async () => {
  for (const bill of bills) {
    const csv = parseInvoiceCsv(csvOf(bill))
    assert.deepEqual(csv.faults, [])
    assert.deepEqual(contentOf(csv.items.map(toBillLine)), contentOf(await linesOf(bill)), bill.invoice_period)
  }
})

test('the order of rows is not content', () => {
  check(
    property(shuffledSubarray(lines, { minLength: lines.length }), (shuffled) => {
      assert.deepEqual(contentOf(shuffled), contentOf(lines))
    }),
  )
})

test('every text, amount and time is content, and so is a row that comes twice', () => {
  const changes: Partial<BillLine>[] = [
    { amount: '0.01' },
    { description: 'other' },
    { product: 'Other' },
    { project: 'other' },
    { group_description: 'other' },
    { quantity: '1.5' },
    { start: Temporal.Instant.from('2026-04-02T00:00:01Z') },
    { end: null },
  ]
  check(
    property(constantFrom(...lines.keys()), constantFrom(...changes), (index, change) => {
      const changed = lines.map((line, at) => (at === index ? Object.assign({}, line, change) : line))
      assert.notEqual(contentOf(changed).content_hash, content_hash)
    }),
  )
  assert.notEqual(contentOf([...lines, ...lines.slice(0, 1)]).content_hash, content_hash)
})

test('words that move from one field to the next are other content', () => {
  const [line] = lines
  assert.ok(line)
  const [apart, together] = [
    { ...line, product: 'a', group_description: 'b' },
    { ...line, product: 'ab', group_description: null },
  ]
  assert.notEqual(contentOf([apart]).content_hash, contentOf([together]).content_hash)
})

test('the lines of a bill add up to it, tax apart', () => {
  const { lines_amount, tax_amount, line_count } = contentOf(lines)
  assert.deepEqual([lines_amount, tax_amount, line_count], ['86.92', '7.9', 33])
})

async function linesOf(bill: (typeof bills)[number]): Promise<BillLine[]> {
  const answer = async () => Response.json({ invoice_items: bill.items })
  const items = await createDigitalOcean({ token: 'any', fetch: answer }).invoiceItems('any')
  return items.map(toBillLine)
}
