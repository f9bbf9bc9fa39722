import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { assert as check, array, constantFrom, property, record, shuffledSubarray } from 'fast-check'
import { demoAccount } from '../../../demo/digitalocean/account.ts'
import { startDigitalOceanStandIn } from '../../../demo/digitalocean/server.ts'
import { type BillingEntry, createDigitalOcean } from '../../providers/digitalocean/index.ts'
import { numberOccurrences } from './billing-history.ts'
import { emptyTables, startCosts } from './costs.fixture.ts'
import { readBillingHistory, takeBalance } from './sync.ts'

const costs = await startCosts()
const { call, clock, db, edge } = costs
after(() => costs.close())
beforeEach(async () => {
  await emptyTables(costs)
  clock.set(Temporal.Instant.from('2026-05-02T06:00:00Z'))
})

const PAYMENT = entry('Payment', '2026-04-03T08:44:38Z', '-10.00')
const INVOICE = {
  ...entry('Invoice', '2026-04-01T08:44:38Z', '10.00'),
  invoice_id: '512',
  invoice_uuid: 'a-uuid',
}

test('every entry of the history is stored, of whatever type, and a second reading adds none', async () => {
  const types = ['ACHFailure', 'Adjustment', 'AttemptFailed', 'Chargeback', 'Credit', 'CreditExpiration'].concat([
    'Payment',
    'Refund',
    'Reversal',
    'Something New',
  ])
  const entries = [INVOICE, ...types.map((type, index) => entry(type, `2026-04-1${index}T00:00:00Z`, '-1.5'))]
  assert.equal(await read(entries), 11)
  assert.equal(await read(entries.toReversed()), 0)
  const { data } = await history()
  assert.deepEqual(
    data.map(({ type }: { type: string }) => type),
    [...types.toReversed(), 'Invoice'],
  )
  assert.deepEqual(data.at(-1), {
    id: data.at(-1).id,
    provider: 'digitalocean',
    occurred_at: '2026-04-01T08:44:38Z',
    type: 'Invoice',
    amount: '10',
    currency: 'USD',
    description: 'Invoice',
    invoice_number: '512',
    invoice_uuid: 'a-uuid',
    first_seen_at: '2026-05-02T06:00:00Z',
    missing_since: null,
  })
})

test('equal payments are counted, and a further one is a new entry', async () => {
  assert.equal(await read([PAYMENT, PAYMENT]), 2)
  assert.equal(await read([PAYMENT, PAYMENT, PAYMENT]), 1)
  assert.equal((await history()).data.length, 3)
})

test('an entry that vanishes is kept and marked, until it is listed again', async () => {
  await read([INVOICE, PAYMENT, PAYMENT])
  const later = clock.now().add({ hours: 24 })
  clock.set(later)
  await read([INVOICE, PAYMENT])
  const missing = async () =>
    (await history()).data.map((each: { missing_since: string | null }) => each.missing_since).filter(Boolean)
  assert.deepEqual(await missing(), [later.toString()])
  clock.set(later.add({ hours: 24 }))
  await read([INVOICE, PAYMENT])
  assert.deepEqual(await missing(), [later.toString()])
  await read([PAYMENT, INVOICE, PAYMENT])
  assert.deepEqual(await missing(), [])
})

test('a reading that began before the last one that was recorded changes nothing', async () => {
  await read([INVOICE, PAYMENT])
  clock.set(clock.now().subtract({ hours: 1 }))
  assert.equal(await read([INVOICE]), 0)
  assert.ok((await history()).data.every((each: { missing_since: string | null }) => each.missing_since === null))
})

test('the history is filtered by month and type, and paged', async () => {
  await read([INVOICE, PAYMENT, entry('Payment', '2026-03-03T08:44:38Z', '-9')])
  assert.equal((await history('period=2026-04')).data.length, 2)
  assert.equal((await history('type=Payment')).data.length, 2)
  assert.equal((await history('type=Payment&period=2026-04-17')).data.length, 1)
  const first = await history('limit=2')
  const rest = await history(`limit=2&cursor=${first.next_cursor}`)
  assert.deepEqual([first.data.length, rest.data.length, rest.next_cursor], [2, 1, null])
  assert.equal((await call('GET', '/billing/history', { as: { tenant: 'boab' } })).status, 403)
  assert.equal((await call('GET', '/billing/history?colour=blue')).status, 422)
})

test('the balance is checked against the history, once the history has been read since', async () => {
  const server = await startDigitalOceanStandIn({ token: 'dop_v1_test', account: demoAccount() })
  try {
    const provider = createDigitalOcean({ token: 'dop_v1_test', api_url: server.url })
    const sync = { edge, provider, transact: db.transaction }
    await takeBalance(sync)
    const balance = async () => (await call('GET', '/billing/balance')).body.data
    assert.deepEqual(checkOf(await balance()), [null, 'not_available'])
    await readBillingHistory(sync, async () => {})
    const { account_balance } = await balance()
    assert.deepEqual(checkOf(await balance()), [account_balance, 'agrees'])
    assert.equal((await history('limit=200')).data.length, demoAccount().billing_history.length)
    await readBillingHistory(
      { ...sync, provider: { ...provider, billingHistory: async () => [PAYMENT] } },
      async () => {},
    )
    assert.deepEqual(checkOf(await balance()), ['-10', 'differs'])
    const { body } = await call('GET', '/billing/balances?limit=1')
    assert.deepEqual([body.data, body.next_cursor], [[await balance()], null])
  } finally {
    await server.close()
  }
})

test('entries have the same numbers in any order', () => {
  const entries = array(
    record({ type: constantFrom('Payment', 'Refund'), amount: constantFrom('1', '1.0', '2') }).map(({ type, amount }) =>
      entry(type, '2026-04-03T08:44:38Z', amount),
    ),
    { maxLength: 8 },
  )
  check(
    property(
      entries.chain((all) => shuffledSubarray(all, { minLength: all.length }).map((shuffled) => ({ all, shuffled }))),
      ({ all, shuffled }) => {
        const keys = (of: readonly BillingEntry[]) =>
          numberOccurrences(of)
            .map((row) => JSON.stringify(row))
            .toSorted()
        assert.deepEqual(keys(shuffled), keys(all))
        assert.equal(new Set(keys(all)).size, all.length)
      },
    ),
  )
})

function entry(type: string, date: string, amount: string): BillingEntry {
  return { type, date: Temporal.Instant.from(date), amount, description: type, invoice_id: null, invoice_uuid: null }
}

/** How many entries were new. */
async function read(entries: readonly BillingEntry[]): Promise<number> {
  const none = () => Promise.reject(new Error('not asked for'))
  const provider = {
    balance: none,
    billingHistory: async () => [...entries],
    invoices: async () => ({ invoices: [], preview: null }),
    invoiceItems: none,
    invoiceCsv: none,
    invoiceSummary: none,
    inventory: none,
  }
  const { new_entries } = await readBillingHistory({ edge, provider, transact: db.transaction }, async () => {})
  return new_entries
}

async function history(query = '') {
  const { status, body } = await call('GET', `/billing/history?${query}`)
  assert.equal(status, 200)
  return body
}

function checkOf({ entries_amount, balance_check }: { entries_amount: string | null; balance_check: string }) {
  return [entries_amount, balance_check]
}
