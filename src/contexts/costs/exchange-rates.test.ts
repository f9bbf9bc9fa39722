import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type Costs, startCosts } from './costs.fixture.ts'

const RATE = { from: 'USD', to: 'AUD', date: '2026-04-30', rate: '1.5', source: 'Reserve Bank' }

let costs: Costs

before(async () => {
  costs = await startCosts()
})
after(() => costs.close())
beforeEach(() => costs.db.script('truncate costs.exchange_rate, costs.period_close'))

test('a rate is recorded with its day, its source and who recorded it', async () => {
  const { status, body } = await record(RATE)
  assert.equal(status, 201)
  const { id, ...rate } = body.data
  assert.match(id, /^[0-9a-f-]{36}$/)
  assert.deepEqual(rate, {
    ...RATE,
    recorded_at: '2026-05-02T06:00:00Z',
    recorded_by: 'test-platform_admin',
    withdrawn_at: null,
    withdrawn_by: null,
    withdrawn_reason: null,
  })
  assert.deepEqual((await list()).data, [body.data])
})

test('the same rate again is the one that is recorded, however it is written', async () => {
  const { body } = await record(RATE)
  const again = await record({ ...RATE, rate: '1.500' })
  assert.deepEqual([again.status, again.body], [200, body])
})

test('a rate that is far from the last one of the pair comes with a warning, and is recorded', async () => {
  const warnings = async (rate: Record<string, unknown>) => {
    const { status, body } = await record({ ...RATE, ...rate })
    assert.equal(status, 201)
    return body.data.warnings
  }
  assert.equal(await warnings({ rate: '1.54' }), undefined)
  assert.deepEqual(await warnings({ date: '2026-05-01', rate: '0.65' }), [
    {
      code: 'costs/exchange-rate-far-from-last',
      path: 'rate',
      message:
        'is 0.65, far from the 1.54 of 2026-04-30; 1 ÷ 0.65 = 1.538462 would be near: is it the rate from AUD to USD?',
    },
  ])
  await withdraw((await list()).data.find(({ rate }) => rate === '0.65')?.id ?? '')
  assert.equal(await warnings({ date: '2026-05-01', rate: '1.60' }), undefined)
  assert.equal(await warnings({ date: '2026-05-01', from: 'AUD', to: 'USD', rate: '0.65' }), undefined)
  assert.match(
    (await warnings({ date: '2026-05-02', rate: '16' }))[0].message,
    /^is 16, far from the 1.6 of 2026-05-01$/,
  )
  assert.equal(await warnings({ from: 'EUR', rate: '1000' }), undefined)
})

test('another rate or source for the same day is refused, and the recorded one stays', async () => {
  await record(RATE)
  for (const other of [{ rate: '1.6' }, { source: 'somebody else' }]) {
    const { status, body } = await record({ ...RATE, ...other })
    assert.deepEqual([status, body.code], [409, 'costs/exchange-rate-differs'])
  }
  assert.deepEqual(
    (await list()).data.map(({ rate, source }) => [rate, source]),
    [['1.5', 'Reserve Bank']],
  )
})

test('a mistyped rate is withdrawn with a reason, stays in the list, and makes room for another', async () => {
  const { body } = await record({ ...RATE, rate: '15' })
  const withdrawn = await withdraw(body.data.id)
  assert.deepEqual(
    [withdrawn.status, withdrawn.body.data.withdrawn_by, withdrawn.body.data.withdrawn_reason],
    [200, 'test-platform_admin', 'mistyped'],
  )
  assert.equal((await record(RATE)).status, 201)
  assert.deepEqual(
    (await list()).data.map(({ rate }) => rate),
    ['1.5', '15'],
  )
  const again = await withdraw(body.data.id)
  assert.deepEqual([again.status, again.body.code], [409, 'costs/exchange-rate-withdrawn'])
  assert.equal((await withdraw('00000000-0000-4000-8000-000000000000')).status, 404)
})

test('a rate of a closed month is not withdrawn', async () => {
  const { body } = await record(RATE)
  assert.equal((await costs.call('POST', '/billing/periods/2026-04/close', { body: {} })).status, 200)
  const refused = await withdraw(body.data.id)
  assert.deepEqual([refused.status, refused.body.code], [409, 'costs/period-closed'])
})

test('the database itself changes and deletes no rate', async () => {
  await record(RATE)
  await withdraw((await record({ ...RATE, date: '2026-05-01' })).body.data.id)
  const back = 'update costs.exchange_rate set withdrawn_at = null where withdrawn_at is not null'
  for (const statement of ['update costs.exchange_rate set rate = 2', 'delete from costs.exchange_rate', back]) {
    await assert.rejects(costs.db.script(statement), /is recorded and stays/)
  }
})

test('the other way round and another day are rates of their own', async () => {
  for (const other of [{}, { from: 'AUD', to: 'USD', rate: '0.66' }, { date: '2026-05-01' }]) {
    assert.equal((await record({ ...RATE, ...other })).status, 201)
  }
})

test('rates are listed newest first, page by page, those of a currency on either side', async () => {
  await record(RATE)
  await record({ ...RATE, date: '2026-05-01' })
  await record({ ...RATE, from: 'AUD', to: 'USD', rate: '0.66' })
  await record({ ...RATE, from: 'EUR', to: 'AUD' })
  const first = await list('currency=USD&limit=2')
  const second = await list(`currency=USD&limit=2&cursor=${first.next_cursor}`)
  assert.deepEqual(
    [first, second].map((page) => page.data.map(({ from, date }) => [from, date])),
    [
      [
        ['USD', '2026-05-01'],
        ['USD', '2026-04-30'],
      ],
      [['AUD', '2026-04-30']],
    ],
  )
  assert.equal(second.next_cursor, null)
  assert.equal((await list()).data.length, 4)
})

test('what is no rate is refused with the field that is wrong', async () => {
  const wrong: Record<string, unknown>[] = [
    { rate: '0' },
    { rate: '-1' },
    { rate: 1.5 },
    { from: 'XQX' },
    { to: 'USD' },
    { date: '2026-02-30' },
    { source: '' },
  ]
  for (const field of wrong) {
    const { status, body } = await record({ ...RATE, ...field })
    assert.deepEqual([status, body.errors?.[0]?.path], [422, Object.keys(field)[0]])
  }
  assert.equal((await list()).data.length, 0)
})

test('rates are the operator’s alone', async () => {
  const as = { tenant: 'boab' }
  assert.equal((await costs.call('GET', '/billing/exchange-rates', { as })).status, 403)
  assert.equal((await costs.call('POST', '/billing/exchange-rates', { as, body: RATE })).status, 403)
})

function record(body: Record<string, unknown>) {
  return costs.call('POST', '/billing/exchange-rates', { body })
}

function withdraw(id: string) {
  return costs.call('POST', `/billing/exchange-rates/${id}/withdraw`, { body: { reason: 'mistyped' } })
}

async function list(query = ''): Promise<{ data: (typeof RATE & { id: string })[]; next_cursor: string | null }> {
  return (await costs.call('GET', `/billing/exchange-rates?${query}`)).body
}
