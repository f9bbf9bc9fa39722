import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import * as fc from 'fast-check'

import { decimal, plain, sum } from '../../kernel/decimal.ts'
import { MAX_CSV_FAULTS } from '../csv.ts'
import { createInvoiceReader, parseInvoiceCsv, parseInvoiceFilename } from './invoice-csv.ts'
import type { InvoiceItem } from './item.ts'

const HEADER = 'product,group_description,description,hours,start,end,USD,project_name,category'
const FULL_APRIL = '2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000'

test('a bill of 2019 with eight columns is read whole', () => {
  const { items, faults } = parseInvoiceCsv(fixture('2019-01-eight-columns.csv'))
  assert.deepEqual(faults, [])
  assert.equal(total(items), '122.11')
  assert.deepEqual(items[5], {
    product: 'Droplets',
    group_description: null,
    description: 'worker-b (s-2vcpu-4gb)',
    amount: '13.27',
    duration: '446',
    duration_unit: null,
    start: Temporal.Instant.from('2019-01-13T09:39:51Z'),
    end: Temporal.Instant.from('2019-02-01T00:00:00Z'),
    project_name: null,
    category: null,
    resource_id: null,
    resource_uuid: null,
    extra: null,
  })
})

test('an unused address and a state tax of 2020 are read', () => {
  const { items, faults } = parseInvoiceCsv(fixture('2020-07-official-example.csv'))
  assert.deepEqual(faults, [])
  assert.equal(total(items), '3.27')
  assert.equal(items[0]?.category, 'iaas')
  assert.equal(items[1]?.duration, null)
})

test('a bill of 2025 adds up to 79.01 before and 85.41 after tax', () => {
  const { items, faults } = parseInvoiceCsv(fixture('2025-03-nine-columns.csv'))
  assert.deepEqual(faults, [])
  assert.equal(total(items.filter((item) => item.product !== 'Taxes')), '79.01')
  assert.equal(total(items), '85.41')
})

test('resizes, quoted names, thousands, credits and tax are read whole', () => {
  const { items, faults } = parseInvoiceCsv(fixture('hard-cases.csv'))
  assert.deepEqual(faults, [])
  assert.equal(items.length, 11)
  assert.equal(total(items), '1625.57')
  assert.equal(items[2]?.description, 'web, edge (blue) (s-1vcpu-1gb)')
  assert.equal(items[8]?.amount, '1363.44')
  assert.equal(items[9]?.amount, '-25')
})

test('an end of 23:59:59 is the next midnight, as an end at midnight already is', () => {
  const { items } = parseInvoiceCsv(fixture('2019-01-eight-columns.csv'))
  const ends = new Set(items.slice(0, 5).map((item) => item.end?.toString()))
  assert.deepEqual(ends, new Set(['2019-02-01T00:00:00Z']))
})

test('columns are found by name: any order, a byte order mark and CRLF change nothing', () => {
  const plainFile = `${HEADER}\nDroplets,,web (s-1vcpu-1gb),720,${FULL_APRIL},$6.00,shop,iaas\n`
  const shuffled =
    '\uFEFFUSD,category,end,start,description,product,hours,group_description,project_name\r\n' +
    '$6.00,iaas,2026-05-01 00:00:00 +0000,2026-04-01 00:00:00 +0000,web (s-1vcpu-1gb),Droplets,720,,shop\r\n'
  assert.deepEqual(parseInvoiceCsv(shuffled), parseInvoiceCsv(plainFile))
  assert.equal(parseInvoiceCsv(shuffled).items.length, 1)
})

test('the words for nothing mean nothing here too', () => {
  const nothing = `${HEADER}\nDroplets,NULL,web (s-1vcpu-1gb),\\N,None,nan,$6.00,N/A,null\n`
  const empty = `${HEADER}\nDroplets,,web (s-1vcpu-1gb),,,,$6.00,,\n`
  assert.deepEqual(parseInvoiceCsv(nothing), parseInvoiceCsv(empty))
  assert.equal(parseInvoiceCsv(nothing).items[0]?.project_name, null)
})

test('every printed form of an amount gives the same decimal', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 999_999_999_999n }), fc.boolean(), (cents, negative) => {
      const expected = plain(decimal(negative ? -cents : cents).div(decimal(100n)))
      const whole = (cents / 100n).toString()
      const fraction = (cents % 100n).toString().padStart(2, '0')
      for (const size of [`${whole}.${fraction}`, `${grouped(whole)}.${fraction}`]) {
        const forms = negative ? [`-$${size}`, `$-${size}`, `($${size})`, `-${size}`] : [`$${size}`, size]
        for (const form of forms) assert.equal(amountOf(form), expected, form)
      }
    }),
    { numRuns: 50 },
  )
})

test('what is not an amount is a fault, never 0', () => {
  for (const text of [
    '',
    'free',
    '$',
    '1,36.44',
    '--5',
    '-$-5',
    '(-$5)',
    '$5.0.0',
    '€5',
    '1e3',
    '0x10',
    '5 USD',
    'NaN',
  ]) {
    const { items, faults } = parseInvoiceCsv(fileWithAmount(text))
    assert.deepEqual(items, [], text)
    assert.deepEqual(
      faults.map(({ row, column }) => ({ row, column })),
      [{ row: 2, column: 'USD' }],
      text,
    )
  }
})

test('each fault names its row, its column and the form expected', () => {
  const file = [
    HEADER,
    `Droplets,,web (s-1vcpu-1gb),720,${FULL_APRIL},$6.00,,iaas`,
    '',
    'Droplets,,db (s-1vcpu-1gb),many,2026-04-31 00:00:00 +0000,yesterday,six,,iaas',
    'Droplets,,short row',
    'Droplets,,back (s-1vcpu-1gb),1,2026-04-02 00:00:00 +0000,2026-04-01 00:00:00 +0000,$1.00,,iaas',
  ].join('\n')
  const { items, faults } = parseInvoiceCsv(file)
  assert.equal(items.length, 1)
  assert.deepEqual(
    faults.map(({ row, column }) => `${row} ${column}`),
    ['4 USD', '4 hours', '4 start', '4 end', '5 *', '6 end'],
  )
  assert.match(faults[2]?.message ?? '', /2026-04-01 00:00:00 \+0000/)
})

test('missing and doubled columns are faults of the header', () => {
  const { items, faults } = parseInvoiceCsv('product,description,hours,hours,start,USD\nDroplets,web,1,1,,$1.00\n')
  assert.deepEqual(items, [])
  assert.deepEqual(
    faults.map(({ row, column }) => `${row} ${column}`),
    ['1 hours', '1 end'],
  )
})

test('an open quote and an empty file are faults, not exceptions', () => {
  assert.equal(parseInvoiceCsv(`${HEADER}\nDroplets,,"web,720`).faults[0]?.row, 2)
  assert.ok(parseInvoiceCsv('').faults.length > 0)
})

test('no text makes the reader throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.boolean(), (text, underHeader) => {
      parseInvoiceCsv(underHeader ? `${HEADER}\n${text}` : text)
    }),
  )
})

test('the faults of a file of another kind are cut short', () => {
  assert.equal(parseInvoiceCsv(HEADER + '\nx'.repeat(MAX_CSV_FAULTS * 2)).faults.length, MAX_CSV_FAULTS)
})

test('columns that nobody knows are kept aside, where they say something', () => {
  const reader = createInvoiceReader(`${HEADER},currency,cost center`.split(','))
  assert.ok('read' in reader)
  const read = (...more: string[]) =>
    reader.read(['Droplets', '', 'web (s-1vcpu-1gb)', '', '', '', '$6.00', '', '', ...more], 2)
  const extraOf = (row: ReturnType<typeof read>) => ('line' in row ? row.line.extra : row)
  assert.deepEqual(extraOf(read('USD', 'R&D')), { currency: 'USD', 'cost center': 'R&D' })
  assert.deepEqual(extraOf(read('', 'R&D')), { 'cost center': 'R&D' })
  assert.equal(extraOf(read('', '')), null)
})

test("the provider's file name says period, account and invoice number", () => {
  const expected = { period: '2020-07', account: '6173678', invoice_number: '418071234' }
  assert.deepEqual(parseInvoiceFilename('DigitalOcean Invoice 2020 Jul (6173678-418071234).csv'), expected)
  assert.deepEqual(parseInvoiceFilename('DigitalOcean Invoice 2020 Jul (6173678-418071234) (1).csv'), expected)
  assert.equal(parseInvoiceFilename('DigitalOcean Invoice 2020 Foo (6173678-418071234).csv'), undefined)
  assert.equal(parseInvoiceFilename('invoice.csv'), undefined)
})

function fixture(name: string): string {
  return readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')
}

function total(items: readonly InvoiceItem[]): string {
  return plain(sum(items.map((item) => decimal(item.amount))))
}

function fileWithAmount(amount: string): string {
  return `${HEADER}\nDroplets,,web (s-1vcpu-1gb),720,${FULL_APRIL},"${amount}",,iaas\n`
}

function amountOf(text: string): string | undefined {
  return parseInvoiceCsv(fileWithAmount(text)).items[0]?.amount
}

function grouped(whole: string): string {
  return whole.replace(/\B(?=(\d{3})+$)/g, ',')
}
