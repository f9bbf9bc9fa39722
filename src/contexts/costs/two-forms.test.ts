import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { BillLine } from '../../providers/bill-line.ts'
import { createDigitalOcean, parseInvoiceCsv, toBillLine } from '../../providers/digitalocean/index.ts'
import { contentOf } from './bill.ts'

/** One row of a bill, before it is written down in one of the two forms. */
type Charge = {
  readonly product: string
  readonly group: string
  readonly description: string
  readonly cents: bigint
  readonly quantity: string
  readonly start: string
  readonly end: string
  readonly project: string
  readonly category: string
}

const PRODUCTS = ['Droplets', 'Volumes', 'Droplet Snapshots', 'Droplet Backups', 'Reserved IPs', 'Kubernetes Clusters']
const ACCOUNT_PRODUCTS = [
  'Spaces Subscription',
  'Bandwidth',
  'Credits',
  'Billing Adjustments',
  'Taxes',
  'Widget Fabric',
]
const DESCRIPTIONS = [
  'web, edge (blue) (s-1vcpu-1gb)',
  'media (fra1) 100GB',
  'host-p01-1707755441748 (fra1) 10.15GB Droplet Snapshot',
  'host-p01 (Weekly Backup Services)',
  'Unused Reserved IP - 203.0.113.9',
  'the "old" one',
  'GST Australia (10%)',
  'Courtesy credit',
]
const MIDNIGHTS = ['2026-04-01T00:00:00Z', '2026-04-13T00:00:00Z']
const ENDS = ['2026-05-01T00:00:00Z', '2026-04-30T12:15:00Z', '']

const word = fc
  .string({ unit: fc.constantFrom(...'ab,()"\n -é'), minLength: 1, maxLength: 12 })
  .filter((text) => text.trim() !== '')
const charge: fc.Arbitrary<Charge> = fc.record({
  product: fc.oneof(fc.constantFrom(...PRODUCTS, ...ACCOUNT_PRODUCTS), word),
  group: fc.oneof(fc.constant(''), word),
  description: fc.oneof(fc.constantFrom(...DESCRIPTIONS), word),
  cents: fc.bigInt({ min: -200_000_000n, max: 200_000_000n }),
  quantity: fc.constantFrom('', '5', '744', '300.25'),
  start: fc.constantFrom(...MIDNIGHTS, ''),
  end: fc.constantFrom(...ENDS),
  project: fc.oneof(fc.constant(''), word),
  category: fc.constantFrom('', 'iaas', 'paas'),
})

/** How a file is written: everything that must not matter. */
type Spelling = {
  readonly columns: readonly string[]
  readonly money: number
  readonly last_second: boolean
  readonly quote_all: boolean
  readonly bom: boolean
  readonly line_end: string
}

const EIGHT = ['product', 'group_description', 'description', 'hours', 'start', 'end', 'USD', 'project_name']
const NINE = [...EIGHT, 'category']
const COLUMN_SETS = [EIGHT, NINE, [...NINE, 'team']]

const spelling: fc.Arbitrary<Spelling> = fc.record({
  columns: fc
    .constantFrom(...COLUMN_SETS)
    .chain((columns) => fc.shuffledSubarray([...columns], { minLength: columns.length })),
  money: fc.nat({ max: 3 }),
  last_second: fc.boolean(),
  quote_all: fc.boolean(),
  bom: fc.boolean(),
  line_end: fc.constantFrom('\n', '\r\n'),
})

test('the items and the CSV of one bill give the same lines and the same content, however the file is written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(charge, { minLength: 1, maxLength: 12 }), spelling, async (charges, how) => {
      const ofItems = await linesOfItems(charges)
      const ofCsv = linesOfCsv(csvOf(charges, how))
      assert.deepEqual(ofCsv.map(comparable), ofItems.map(comparable))
      assert.deepEqual(contentOf(ofCsv), contentOf(ofItems))
      if (how.columns.includes('category')) {
        assert.deepEqual(
          ofCsv.map(({ extra }) => extra?.['category']),
          ofItems.map(({ extra }) => extra?.['category']),
        )
      }
    }),
    { numRuns: 200 },
  )
})

test('only the items carry the ids of resources, and name units of their own', async () => {
  const item = {
    ...wireItem({ ...BANDWIDTH, quantity: '37' }),
    duration_unit: 'GiB',
    resource_id: 12,
    resource_uuid: 'd5cbc8c0',
  }
  const [ofItems] = await linesOf([item])
  const [ofCsv] = linesOfCsv(csvOf([{ ...BANDWIDTH, quantity: '37' }], PLAIN))
  assert.deepEqual(
    [ofItems?.external_resource_id, ofItems?.external_resource_uuid, ofItems?.unit],
    ['12', 'd5cbc8c0', 'gib'],
  )
  assert.deepEqual([ofCsv?.external_resource_id, ofCsv?.external_resource_uuid, ofCsv?.unit], [null, null, 'hours'])
})

const BANDWIDTH: Charge = {
  product: 'Bandwidth',
  group: '',
  description: 'Bandwidth overage',
  cents: 37n,
  quantity: '',
  start: '2026-04-01T00:00:00Z',
  end: '2026-05-01T00:00:00Z',
  project: '',
  category: 'iaas',
}
const PLAIN: Spelling = { columns: NINE, money: 0, last_second: false, quote_all: false, bom: false, line_end: '\n' }

function comparable({ external_resource_id: _id, external_resource_uuid: _uuid, extra: _extra, ...line }: BillLine) {
  return line
}

async function linesOfItems(charges: readonly Charge[]): Promise<BillLine[]> {
  return linesOf(charges.map(wireItem))
}

async function linesOf(invoice_items: readonly unknown[]): Promise<BillLine[]> {
  const client = createDigitalOcean({ token: 'any', fetch: async () => Response.json({ invoice_items }) })
  return (await client.invoiceItems('any')).map(toBillLine)
}

function wireItem({ product, group, description, cents, quantity, start, end, project, category }: Charge) {
  return {
    product,
    group_description: group,
    description,
    amount: majorOf(cents),
    duration: quantity,
    duration_unit: quantity === '' ? '' : /backups$/i.test(product) ? 'Backups' : 'Hours',
    start_time: start,
    end_time: end,
    project_name: project,
    category,
  }
}

function linesOfCsv(text: string): BillLine[] {
  const { items, faults } = parseInvoiceCsv(text)
  assert.deepEqual(faults, [])
  return items.map(toBillLine)
}

function csvOf(charges: readonly Charge[], how: Spelling): string {
  const rows = charges.map((charge) => how.columns.map((column) => cellOf(column, charge, how)))
  const lines = [how.columns, ...rows].map((cells) => cells.map((cell) => quoted(cell, how.quote_all)).join(','))
  return `${how.bom ? '\uFEFF' : ''}${lines.join(how.line_end)}${how.line_end}`
}

function cellOf(column: string, charge: Charge, { money, last_second }: Spelling): string {
  switch (column) {
    case 'group_description':
      return charge.group
    case 'hours':
      return charge.quantity
    case 'start':
      return csvTime(charge.start)
    case 'end':
      return csvTime(last_second ? lastSecondOf(charge.end) : charge.end)
    case 'USD':
      return spelled(charge.cents, money)
    case 'project_name':
      return charge.project
    case 'product':
    case 'description':
    case 'category':
      return charge[column]
    default:
      return 'blue'
  }
}

function spelled(cents: bigint, form: number): string {
  const size = majorOf(cents < 0n ? -cents : cents)
  const grouped = size.replace(/\B(?=(\d{3})+\.)/g, ',')
  if (cents >= 0n) return [`$${grouped}`, `$${size}`, size, grouped][form] ?? size
  return [`-$${grouped}`, `$-${grouped}`, `($${grouped})`, `-${size}`][form] ?? size
}

function majorOf(cents: bigint): string {
  const digits = (cents < 0n ? -cents : cents).toString().padStart(3, '0')
  return `${cents < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

function lastSecondOf(end: string): string {
  return end.endsWith('T00:00:00Z') ? Temporal.Instant.from(end).subtract({ seconds: 1 }).toString() : end
}

function csvTime(time: string): string {
  return time.replace('T', ' ').replace('Z', ' +0000')
}

function quoted(cell: string, always: boolean): string {
  return always || /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
