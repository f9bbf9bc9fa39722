import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import fc from 'fast-check'
import { sql } from 'kysely'
import { memoryDatabase } from '../../../test/support/database.ts'
import { decimal, plain, round } from '../../kernel/decimal.ts'
import { type Database, insertRows, within } from '../../platform/db.ts'
import { randomIds } from '../../platform/ids.ts'
import { changedWindows, readUsage, type Usage, type UsageWindow } from './index.ts'

const TENANT = 't_1'
const WEB = '11111111-1111-4111-8111-111111111111'
const SHOP = '22222222-2222-4222-8222-222222222222'
const CREATED = Temporal.Instant.from('2026-01-01T00:00:00Z')
const APRIL = { start: instant('2026-04-01T00:00:00Z'), end: instant('2026-05-01T00:00:00Z') }

let db: Database

before(async () => {
  db = await memoryDatabase()
  await db.transaction(async (tx) => {
    await insertRows(within<'tenants'>(tx), 'tenants.tenant', [
      {
        id: TENANT,
        legal_name: 'X',
        country: 'AU',
        currency: 'AUD',
        timezone: 'UTC',
        tax_treatment: 'exempt',
        created_at: CREATED,
        updated_at: CREATED,
      },
    ])
    const deployment = {
      tenant_id: TENANT,
      display_name: 'x',
      llm_mode: 'off',
      state: 'active',
      billing_action_suspended: false,
      created_at: CREATED,
      updated_at: CREATED,
    }
    await insertRows(within<'deployments'>(tx), 'deployments.deployment', [
      { ...deployment, id: WEB, slug: 'web' },
      { ...deployment, id: SHOP, slug: 'shop' },
    ])
    await tx
      .insertInto('catalog.meter')
      .values([
        { code: 'calls', name: 'x', unit: 'call', aggregation: 'sum', created_at: CREATED },
        { code: 'stored_gb', name: 'x', unit: 'GB', aggregation: 'time_weighted_sum', created_at: CREATED },
      ])
      .execute()
  })
})
after(() => db.close())
afterEach(() =>
  db.transaction(async (tx) => {
    await tx.deleteFrom('inventory.span').execute()
    await tx.deleteFrom('inventory.resource').execute()
    await tx.deleteFrom('inventory.ownership_change').execute()
    await tx.deleteFrom('metering.usage_event').execute()
  }),
)

test('hours are exact to the second', async () => {
  await addSpan({ from: '2026-04-10T10:00:00Z', to: '2026-04-10T10:00:01Z' })
  await addSpan({ from: '2026-04-11T00:00:00Z', to: '2026-04-11T00:59:59Z' })
  assert.deepEqual(await usageOf(WEB, APRIL), { droplet_hours: '1' })
})

test('a span that crosses both ends of the window counts the whole window', async () => {
  await addSpan({ from: '2026-01-01T00:00:00Z', to: '2026-08-01T00:00:00Z' })
  await addSpan({ from: '2026-01-01T00:00:00Z', to: null })
  assert.deepEqual(await usageOf(WEB, APRIL), { droplet_hours: '1440' })
})

test('a span that only touches the window does not count', async () => {
  await addSpan({ from: '2026-03-01T00:00:00Z', to: '2026-04-01T00:00:00Z' })
  await addSpan({ from: '2026-05-01T00:00:00Z', to: null })
  assert.deepEqual(await usageOf(WEB, APRIL), {})
})

test('a resized volume counts each size for its own time', async () => {
  const id = await addSpan({ kind: 'volume', size_gb: '50', from: '2026-04-01T00:00:00Z', to: '2026-04-02T00:00:00Z' })
  await addSpan({
    kind: 'volume',
    size_gb: '100.5',
    from: '2026-04-02T00:00:00Z',
    to: '2026-04-02T12:00:00Z',
    resource_id: id,
  })
  assert.deepEqual(await usageOf(WEB, APRIL), { volume_gb_hours: '2406' })
})

test('a resource of another kind, deployment or none is not counted', async () => {
  await addSpan({ kind: 'load_balancer', from: '2026-04-01T00:00:00Z', to: null })
  await addSpan({ kind: 'kubernetes_node', from: '2026-04-01T00:00:00Z', to: null })
  await addSpan({ deployment_id: SHOP, from: '2026-04-30T23:00:00Z', to: null })
  await addSpan({ deployment_id: null, from: '2026-04-01T00:00:00Z', to: null })
  assert.deepEqual(await usageOf(WEB, APRIL), {})
  assert.deepEqual(await usageOf(SHOP, APRIL), { droplet_hours: '1' })
})

test('any number of windows is read at once, and one without a length holds nothing', async () => {
  await addSpan({ from: '2026-04-01T00:00:00Z', to: null })
  await addEvent({ quantity: '5', occurred_at: '2026-04-02T00:00:00Z' })
  const usage = await readUsage(db.read, [
    { key: 'a', tenant_id: TENANT, deployment_id: WEB, ...APRIL },
    { key: 'b', tenant_id: TENANT, deployment_id: SHOP, ...APRIL },
    { key: 'c', tenant_id: TENANT, deployment_id: WEB, start: APRIL.end, end: APRIL.start },
    { key: 'd', tenant_id: 't_2', deployment_id: WEB, ...APRIL },
  ])
  const quantities = Object.fromEntries([...usage].map(([key, of]) => [key, of.usage]))
  assert.deepEqual(quantities, { a: { droplet_hours: '720', calls: '5' }, b: {}, c: {}, d: {} })
  assert.equal((await readUsage(db.read, [])).size, 0)
})

test('cutting a window anywhere leaves the sum as it is', async () => {
  await addSpan({ from: '2026-03-20T07:13:11Z', to: '2026-04-10T03:05:07Z' })
  await addSpan({ from: '2026-04-20T00:00:01Z', to: null })
  await addSpan({ kind: 'volume', size_gb: '33', from: '2026-04-03T01:02:03Z', to: '2026-04-29T23:59:58Z' })
  for (let day = 1; day <= 30; day += 1) {
    await addEvent({ quantity: `0.${day}`, occurred_at: `2026-04-${String(day).padStart(2, '0')}T05:00:00.000001Z` })
  }
  const whole = await usageOf(WEB, APRIL)
  const seconds = APRIL.start.until(APRIL.end).total('seconds')
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: seconds }), async (second) => {
      const cut = APRIL.start.add({ seconds: second })
      const parts = [await usageOf(WEB, { ...APRIL, end: cut }), await usageOf(WEB, { ...APRIL, start: cut })]
      for (const [meter, quantity] of Object.entries(whole)) {
        const sum = parts.map((part) => decimal(part[meter] ?? '0')).reduce((a, b) => a.plus(b))
        // A third of an hour is cut at 20 places, so the parts may miss the whole by less than that.
        assert.equal(plain(round(sum, 12)), plain(round(decimal(quantity), 12)))
      }
    }),
    { numRuns: 60 },
  )
})

test('a window is named when something inside it came after its facts were read', async () => {
  const since = instant('2026-05-01T03:00:00Z')
  const changed = async () =>
    [
      ...(await changedWindows(db.read, [
        { key: 'april', tenant_id: TENANT, ...APRIL, since, seen: null },
        { key: 'may', tenant_id: TENANT, start: APRIL.end, end: instant('2026-06-01T00:00:00Z'), since, seen: null },
        { key: 'other', tenant_id: 't_2', ...APRIL, since, seen: null },
      ])),
    ].toSorted()
  await addEvent({ occurred_at: '2026-04-30T00:00:00Z', received_at: '2026-05-01T02:59:59Z' })
  await addSpan({ from: '2026-04-01T00:00:00Z', to: null, changed_at: '2026-05-01T02:59:59Z' })
  assert.deepEqual(await changed(), [])
  await addEvent({ occurred_at: '2026-04-30T23:59:59Z', received_at: '2026-05-01T03:00:00Z' })
  assert.deepEqual(await changed(), ['april'])
  await addSpan({ from: '2026-05-01T00:00:00Z', to: null, changed_at: '2026-05-02T00:00:00Z' })
  assert.deepEqual(await changed(), ['april', 'may'])
})

test('a window is named when something inside it was committed after its snapshot, whenever it was stamped', async () => {
  const since = instant('2026-07-01T00:00:00Z')
  const { rows } = await sql<{ seen: string }>`select pg_current_snapshot()::text as seen`.execute(db.read)
  const seen = rows[0]?.seen ?? null
  const changed = async () =>
    (await changedWindows(db.read, [{ key: 'w', tenant_id: TENANT, ...APRIL, since, seen }])).size
  assert.equal(await changed(), 0)
  await addEvent({ occurred_at: '2026-05-01T00:00:00Z', received_at: '2026-05-01T00:00:00Z' })
  assert.equal(await changed(), 0)
  await addEvent({ occurred_at: '2026-04-30T00:00:00Z', received_at: '2026-04-30T00:00:00Z' })
  assert.equal(await changed(), 1)
})

test('a window is named when a stretch of its time was given to another owner', async () => {
  const since = instant('2026-05-01T03:00:00Z')
  const lose = (starts_at: string, ends_at: string | null, changed_at: string) =>
    db.transaction((tx) => {
      const loss = { id: randomIds.uuid(), tenant_id: TENANT, deployment_id: WEB, starts_at, ends_at, changed_at }
      return insertRows(within<'inventory'>(tx), 'inventory.ownership_change', [loss])
    })
  const changed = async () => [
    ...(await changedWindows(db.read, [{ key: 'w', tenant_id: TENANT, ...APRIL, since, seen: null }])),
  ]
  await lose('2026-04-10T00:00:00Z', null, '2026-05-01T02:59:59Z')
  await lose('2026-03-01T00:00:00Z', '2026-04-01T00:00:00Z', '2026-05-01T03:00:00Z')
  await lose('2026-05-01T00:00:00Z', null, '2026-05-01T03:00:00Z')
  assert.deepEqual(await changed(), [])
  await lose('2026-03-01T00:00:00Z', '2026-04-01T00:00:01Z', '2026-05-01T03:00:00Z')
  assert.deepEqual(await changed(), ['w'])
})

test('a late change of a level names every window after it, other late events only their own', async () => {
  const since = instant('2026-06-01T03:00:00Z')
  const month = (key: string, start: string, end: string) => ({
    key,
    tenant_id: TENANT,
    start: instant(start),
    end: instant(end),
    since,
    seen: null,
  })
  const windows = [
    month('march', '2026-03-01T00:00:00Z', '2026-04-01T00:00:00Z'),
    month('april', '2026-04-01T00:00:00Z', '2026-05-01T00:00:00Z'),
    month('may', '2026-05-01T00:00:00Z', '2026-06-01T00:00:00Z'),
    { ...month('other', '2026-05-01T00:00:00Z', '2026-06-01T00:00:00Z'), tenant_id: 't_2' },
  ]
  const changed = async () => [...(await changedWindows(db.read, windows))].toSorted()
  const received = { received_at: '2026-06-01T03:00:00Z' }
  await addEvent({ meter: 'stored_gb', occurred_at: '2026-02-10T00:00:00Z', received_at: '2026-06-01T02:59:59Z' })
  await addEvent({ meter: 'stored_gb', occurred_at: '2026-06-01T00:00:00Z', ...received })
  await addEvent({ occurred_at: '2026-02-10T00:00:00Z', ...received })
  assert.deepEqual(await changed(), [])
  await addEvent({ meter: 'stored_gb', quantity: '-1', occurred_at: '2026-04-30T00:00:00Z', ...received })
  assert.deepEqual(await changed(), ['april', 'may'])
})

test('no window, no change', async () => {
  assert.equal((await changedWindows(db.read, [])).size, 0)
})

function instant(text: string): Temporal.Instant {
  return Temporal.Instant.from(text)
}

async function usageOf(deployment_id: string, window: Pick<UsageWindow, 'start' | 'end'>): Promise<Usage['usage']> {
  const usage = await readUsage(db.read, [{ key: 'w', tenant_id: TENANT, deployment_id, ...window }])
  return usage.get('w')?.usage ?? {}
}

type SpanOptions = {
  from: string
  to: string | null
  kind?: string
  size_gb?: string
  deployment_id?: string | null
  resource_id?: string
  changed_at?: string
}

/** Returns the resource's id. */
async function addSpan({
  from,
  to,
  kind = 'droplet',
  size_gb = '0',
  deployment_id = WEB,
  resource_id,
  changed_at = from,
}: SpanOptions) {
  const id = resource_id ?? randomIds.uuid()
  await db.transaction(async (tx) => {
    if (resource_id === undefined) {
      await insertRows(within<'inventory'>(tx), 'inventory.resource', [
        {
          id,
          provider: 'digitalocean',
          kind,
          external_id: id,
          name: 'x',
          tags: [],
          born_at: from,
          first_seen_at: from,
          last_seen_at: from,
        },
      ])
    }
    const owner = { tenant_id: deployment_id === null ? null : TENANT, deployment_id }
    await insertRows(within<'inventory'>(tx), 'inventory.span', [
      {
        id: randomIds.uuid(),
        resource_id: id,
        starts_at: from,
        ends_at: to,
        name: 'x',
        size: 's',
        size_gb,
        changed_at,
        ...owner,
      },
    ])
  })
  return id
}

async function addEvent({
  meter = 'calls',
  quantity = '1',
  occurred_at,
  received_at = occurred_at,
}: {
  meter?: string
  quantity?: string
  occurred_at: string
  received_at?: string
}) {
  const key = { tenant_id: TENANT, source: 's', event_id: randomIds.uuid() }
  const event = {
    ...key,
    deployment_id: WEB,
    meter,
    quantity,
    occurred_at,
    properties: {},
    content_hash: '',
    received_at,
  }
  await db.transaction((tx) => insertRows(within<'metering'>(tx), 'metering.usage_event', [event]))
}
