import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { csv, emptyTables, row, startCosts, upload } from './costs.fixture.ts'
import { countUnclassified } from './bill-queries.ts'

const costs = await startCosts()
const { call, db } = costs
after(() => costs.close())
beforeEach(() => emptyTables(costs))

const APRIL = csv(
  row('Droplets', 'web (s-1vcpu-1gb)', '6.00'),
  row('Droplets', 'jobs (s-1vcpu-1gb)', '4.00'),
  row('Widget Fabric', 'standard tier', '4.17'),
  row('Abacus', 'loom (syd1)', '0.83'),
)
const MARCH = csv(...APRIL.split('\n').slice(1, 3).map(inMarch), inMarch(row('Abacus', 'loom (syd1)', '0.50')))

test('products are listed with what they are classified as, the unclassified first', async () => {
  await upload(costs, APRIL, 'period=2026-04')
  await upload(costs, MARCH, 'period=2026-03')
  assert.deepEqual(await namesOf(''), ['Abacus', 'Widget Fabric', 'Droplets'])
  const [abacus, , droplets] = (await call('GET', '/billing/products')).body.data
  assert.deepEqual(abacus, {
    provider: 'digitalocean',
    product: 'Abacus',
    kind: 'unclassified',
    classified: false,
    service_category: 'Other',
    service_name: 'Abacus',
    charge_category: 'Usage',
    currency: 'USD',
    lines: 2,
    amount: '1.33',
    first_period: { start: '2026-03-01', end: '2026-04-01' },
    last_period: { start: '2026-04-01', end: '2026-05-01' },
  })
  assert.deepEqual(
    [droplets.kind, droplets.service_category, droplets.service_name, droplets.lines, droplets.amount],
    ['droplet', 'Compute', 'Droplets', 4, '20'],
  )
})

test('the list can be held to a month, and to what is classified or not', async () => {
  await upload(costs, APRIL, 'period=2026-04')
  await upload(costs, MARCH, 'period=2026-03')
  assert.deepEqual(await namesOf('?period=2026-03'), ['Abacus', 'Droplets'])
  assert.deepEqual(await namesOf('?classified=false'), ['Abacus', 'Widget Fabric'])
  assert.deepEqual(await namesOf('?classified=true'), ['Droplets'])
  assert.deepEqual(await namesOf('?period=2026-05'), [])
})

test('pages follow each other without a gap or a repetition', async () => {
  await upload(costs, APRIL, 'period=2026-04')
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { body } = await call('GET', `/billing/products?limit=1${cursor && `&cursor=${cursor}`}`)
    seen.push(...body.data.map(({ product }: { product: string }) => product))
    cursor = body.next_cursor
  }
  assert.deepEqual(seen, ['Abacus', 'Widget Fabric', 'Droplets'])
})

test('a bill says how many of its lines are unclassified, and over how much', async () => {
  const { body } = await upload(costs, APRIL, 'period=2026-04')
  assert.deepEqual([body.data.unclassified_lines, body.data.unclassified_amount], [2, '5'])
  const { body: all } = await upload(
    costs,
    csv(inMarch(row('Droplets', 'web (s-1vcpu-1gb)', '1.00'))),
    'period=2026-03',
  )
  assert.deepEqual([all.data.unclassified_lines, all.data.unclassified_amount], [0, '0'])
  assert.deepEqual(await countUnclassified(db.read), { lines: 2, products: 2 })
})

test('wrong input is refused, and so is anybody but the operator', async () => {
  assert.equal((await call('GET', '/billing/products?classified=maybe')).status, 422)
  assert.equal((await call('GET', '/billing/products?cursor=x')).status, 422)
  assert.equal((await call('GET', '/billing/products?colour=blue')).status, 422)
  assert.equal((await call('GET', '/billing/products', { as: { tenant: 'boab' } })).status, 403)
  assert.equal((await call('GET', '/billing/products', { as: 'nobody' })).status, 401)
})

async function namesOf(query: string): Promise<string[]> {
  const { body } = await call('GET', `/billing/products${query}`)
  return body.data.map(({ product }: { product: string }) => product)
}

function inMarch(text: string): string {
  return text.replaceAll('2026-04-01', '2026-03-01').replaceAll('2026-05-01', '2026-04-01')
}
