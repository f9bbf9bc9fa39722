import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as fc from 'fast-check'
import {
  brokenInvariants,
  deploy,
  emptyTables,
  HEADER,
  type Listed,
  listInventory,
  startCosts,
} from '../../src/contexts/costs/costs.fixture.ts'
import { matchLines } from '../../src/contexts/costs/index.ts'
import { marginRoutes } from '../../src/contexts/margin/index.ts'

/**
 * Whatever way the same facts come in, the books are the same: bills in any order, their rows in any order, in one file
 * or cut into several, once or again, before or after the inventory and the rules that say whose cost they are.
 */
const RUNS = 8
const BOUNDARY = 'a-boundary'
const PAGE_LIMIT = 200

const costs = await startCosts(null, { routes: (edge) => [marginRoutes(edge)] })
const { call, db, edge } = costs
after(() => costs.close())

type File = { readonly query: string; readonly header: string; readonly rows: readonly string[] }

const APRIL: File = {
  query: 'provider=digitalocean&period=2026-04&invoice_number=512',
  header: HEADER,
  rows: [
    ofApril('Droplets,,web (s-1vcpu-1gb),720', '$6.00'),
    ofApril('Droplets,,web (s-1vcpu-1gb),720', '$6.00'),
    ofApril('Droplets,,"shop, blue (s-1vcpu-1gb)",720', '$6.01'),
    ofApril('Droplets,,moved (s-1vcpu-1gb),720', '$4.01'),
    ofApril('Droplets,,nobody (s-1vcpu-1gb),12.5', '$0.11'),
    ofApril('Volumes,,media (syd1) 100GB,720', '$10.00'),
    ofApril('Droplet Backups,,web (Weekly Backup Services),4', '$1.20'),
    ofApril('Droplet Snapshots,,web-1774692000123 (syd1) 4.20GB Droplet Snapshot,720', '$0.25'),
    ofApril('Spaces Subscription,,Spaces ($5/mo 250GiB storage & 1TiB bandwidth),720', '$5.00'),
    ofApril('Bandwidth,,Bandwidth overage,', '$0.37'),
    ofApril('Widget Fabric,,standard tier,', '$4.17'),
    ofApril('Credits,,Promotional credit,', '-$2.00'),
    ofApril('Taxes,,GST Australia (10%),', '$4.11'),
  ],
}
const MARCH: File = {
  ...APRIL,
  query: 'provider=digitalocean&period=2026-03&invoice_number=480',
  rows: APRIL.rows
    .slice(0, 10)
    .map((row) => row.replaceAll('2026-04-01', '2026-03-01').replaceAll('2026-05-01', '2026-04-01')),
}
const OTHER_PROVIDER: File = {
  query: 'provider=example-cloud',
  header:
    'BilledCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargeDescription,ChargePeriodStart,ChargePeriodEnd,InvoiceId,ProviderName,ResourceId,ResourceName,ServiceCategory,ServiceName',
  rows: ['a,1.005', 'b,2.5', 'c,0.25'].map((row) => {
    const [name, amount] = row.split(',')
    return `${amount},USD,2026-04-01T00:00:00Z,2026-05-01T00:00:00Z,Usage,Object ${name},2026-04-01T00:00:00Z,2026-05-01T00:00:00Z,EX-1,Example Cloud,r-${name},${name},Storage,Example Storage`
  }),
}
const FILES = [APRIL, MARCH, OTHER_PROVIDER]

const BEFORE: readonly Listed[] = [
  { external_id: '1', name: 'web', tags: ['arcadia:boab:studio'] },
  { external_id: '2', name: 'shop, blue', tags: ['arcadia:kelpie:shop'] },
  { external_id: '3', name: 'moved', tags: ['arcadia:boab:studio'] },
  { external_id: '4', name: 'media', tags: ['arcadia:kelpie:shop'], kind: 'volume' },
]
const SINCE_MID_APRIL = BEFORE.map((resource) =>
  resource.name === 'moved' ? { ...resource, tags: ['arcadia:kelpie:shop'] } : resource,
)

/** One step of a way to the books. */
type Step = { readonly name: string; readonly take: () => Promise<void> }

const wayToTheBooks: fc.Arbitrary<Step[]> = fc
  .tuple(...FILES.map(uploadsOf))
  .chain((uploads) => anyOrderOf([...uploads.flat(), inventoryStep(), rulesStep()]))

test('any order of rows, any split of uploads and any repetition give the same books', async () => {
  const expected = await booksAfter([
    inventoryStep(),
    rulesStep(),
    ...FILES.map((file) => uploadStep(file, [file.rows])),
  ])
  assert.equal(expected.bills.length, FILES.length)
  assert.ok(expected.lines.some((line) => line.includes('"match_status":"allocated"')))
  await fc.assert(
    fc.asyncProperty(wayToTheBooks, async (steps) => {
      assert.deepEqual(await booksAfter(steps), expected)
    }),
    { numRuns: RUNS },
  )
})

test('another amount, name or owner gives other books', async () => {
  const steps = (file: File) => [inventoryStep(), rulesStep(), uploadStep(file, [file.rows])]
  const books = await booksAfter(steps(APRIL))
  for (const [from, to] of [
    ['$0.37', '$0.38'],
    ['web (s', 'nobody (s'],
    ['moved', 'media'],
  ] as const) {
    const changed = { ...APRIL, rows: APRIL.rows.map((row) => row.replace(from, to)) }
    assert.notDeepEqual(await booksAfter(steps(changed)), books, `${from} → ${to}`)
  }
})

/** A bill once or twice, each time with its rows in an order of their own and cut into one to three files. */
function uploadsOf(file: File): fc.Arbitrary<Step[]> {
  const cuts = fc.array(fc.nat({ max: file.rows.length }), { maxLength: 2 })
  const step = fc.tuple(anyOrderOf(file.rows), cuts).map(([rows, at]) => uploadStep(file, cut(rows, at)))
  return fc.array(step, { minLength: 1, maxLength: 2 })
}

function cut(rows: readonly string[], at: readonly number[]): string[][] {
  const places = [0, ...at.toSorted((one, other) => one - other), rows.length]
  const parts = places.slice(1).map((end, index) => rows.slice(places[index], end))
  return parts.filter((part) => part.length > 0)
}

function anyOrderOf<T>(values: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...values], { minLength: values.length })
}

function uploadStep({ query, header }: File, parts: readonly (readonly string[])[]): Step {
  const files = parts.map((rows) => `${[header, ...rows].join('\n')}\n`)
  return {
    name: `${query} in ${files.length}`,
    take: async () => {
      const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
      const { status, text } = await call('POST', `/billing/provider-invoices/import?${query}`, {
        body: multipart(files),
        headers,
      })
      assert.ok(status === 201 || status === 200, text)
    },
  }
}

function multipart(files: readonly string[]): string {
  const parts = files.map((file, index) => {
    const name = `name="file"; filename="part-${index}.csv"`
    return `--${BOUNDARY}\r\ncontent-disposition: form-data; ${name}\r\ncontent-type: text/csv\r\n\r\n${file}\r\n`
  })
  return `${parts.join('')}--${BOUNDARY}--\r\n`
}

function inventoryStep(): Step {
  return {
    name: 'inventory',
    take: async () => {
      await listInventory(edge, '2026-02-01T00:00:00Z', BEFORE)
      await listInventory(edge, '2026-04-16T00:00:00Z', SINCE_MID_APRIL)
      const resources = await db.read.selectFrom('inventory.resource').select('id').execute()
      await db.transaction((tx) => matchLines(tx, { resource_ids: resources.map(({ id }) => id) }))
    },
  }
}

function rulesStep(): Step {
  return {
    name: 'rules',
    take: async () => {
      const deployments = await db.read.selectFrom('deployments.deployment').select(['id', 'slug']).execute()
      const ids = deployments.toSorted((one, other) => one.slug.localeCompare(other.slug)).map(({ id }) => id)
      const shares = ids.map((deployment_id, index) => ({ deployment_id, weight: String(index + 1) }))
      for (const rule of [
        { product: 'Spaces Subscription', shares },
        { product: 'Bandwidth', basis: 'direct_cost' },
        { provider: 'example-cloud', product: 'Example Storage', basis: 'even', deployment_ids: ids },
      ]) {
        const { status, text } = await call('POST', '/billing/allocation-rules', { body: rule })
        assert.equal(status, 201, text)
      }
    },
  }
}

type Books = { bills: string[]; lines: string[]; products: string[]; margin: string[] }

async function booksAfter(steps: readonly Step[]): Promise<Books> {
  await emptyTables(costs)
  const slugs = new Map([
    [await deploy(edge, 'boab', 'studio'), 'studio'],
    [await deploy(edge, 'kelpie', 'shop'), 'shop'],
  ])
  for (const { take } of steps) await take()
  assert.deepEqual(await brokenInvariants(db), [])
  const bills = await listAll('/billing/provider-invoices')
  const nameOf = new Map(bills.map(({ id, provider, external_id }) => [id, `${provider} ${external_id}`]))
  const lines = (await listAll('/billing/cost-lines')).map((line) => ({
    ...line,
    bill: nameOf.get(line.provider_invoice_id),
  }))
  const margins = await Promise.all(['2026-03', '2026-04'].map((month) => call('GET', `/margin?period=${month}`)))
  const plain = (rows: readonly object[]) => rows.map((row) => written(row, slugs)).toSorted()
  return {
    bills: plain(bills),
    lines: plain(lines),
    products: plain(await listAll('/billing/products')),
    margin: plain(margins.map(({ body }) => body.data)),
  }
}

async function listAll(path: string): Promise<Readonly<Record<string, string>>[]> {
  const { body } = await call('GET', `${path}?limit=${PAGE_LIMIT}`)
  assert.equal(body.next_cursor, null)
  return body.data
}

/** What differs from one way to another by nature: made-up ids, and the place of a line on its bill. */
const OF_THE_WAY = new Set(['id', 'provider_invoice_id', 'position', 'resource_id', 'match_reason'])

function written(row: object, slugs: ReadonlyMap<string, string>): string {
  return JSON.stringify(row, (key, value) => {
    if (OF_THE_WAY.has(key)) return undefined
    return typeof value === 'string' ? (slugs.get(value) ?? value) : value
  })
}

function ofApril(cells: string, amount: string): string {
  return `${cells},2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000,${amount},,iaas`
}
