import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { TransitionHook } from '../../src/contexts/deployments/index.ts'
import { followDeployment, subscriptionsJobs } from '../../src/contexts/subscriptions/index.ts'
import { present } from '../../src/kernel/invariant.ts'
import { parseMonth } from '../../src/kernel/period.ts'
import type { Database } from '../../src/platform/db.ts'
import { type Books, openBooks } from './books.ts'

type Line = [kind: string, amount_cents: number]
type Customer = { tenant_id: string; deployment_id: string; subscription_id: string; timezone: string }
type Bill = { month: string; lines: Line[]; total: number; quotes?: object[]; unquoted?: number[] }

const NOON = 'T12:00:00Z'
const CALLS = (unit_price: string) => ({ meter: 'calls', model: 'per_unit', unit_price })
const SMALL = { currency: 'USD', base_price_cents: 3_000, charges: [CALLS('0.10')] }
const LARGE = { currency: 'USD', base_price_cents: 8_000, charges: [CALLS('0.05')] }
const YEARLY = { currency: 'USD', interval: 'year', base_price_cents: 36_500 }
const AGGREGATIONS = ['sum', 'count', 'max', 'last', 'unique_count', 'time_weighted_sum']

/**
 * Prices through the life of a subscription, over HTTP alone. Every month is predicted three times and must be the same
 * to the cent each time: as the numbers written here, which are computed by hand, as the projection on its last day, and
 * as `POST /quotes` on the same facts; and where a change was previewed, as that.
 */
export function tellPricing(freshDatabase: () => Promise<Database>): void {
  describe('a price is the same wherever it is asked for', () => tell(freshDatabase))
}

function tell(freshDatabase: () => Promise<Database>): void {
  let books: Books
  let customers = 0
  const previews = new Map<string, any>()

  before(async () => {
    books = await openBooks(await freshDatabase(), `2026-04-01${NOON}`)
    for (const code of ['calls', 'requests', 'payments']) {
      await books.ok('POST', '/meters', { code, name: code, unit: 'call', aggregation: 'sum' })
    }
    await books.ok('POST', '/meters', { code: 'level', name: 'Level', unit: 'GB', aggregation: 'time_weighted_sum' })
    await sell('small', SMALL)
    await sell('large', LARGE)
    await sell('yearly', YEARLY)
  })
  after(async () => {
    assert.deepEqual(await books.broken(), [])
    await books.close()
  })

  async function sell(code: string, version: object) {
    await books.ok('POST', '/plans', { code, name: code, version })
    await books.ok('POST', `/plans/${code}/versions/1/publish`)
  }

  /** A tenant with a deployment on a plan, 10 % tax to pay. */
  async function subscribed(
    order: object,
    { timezone = 'UTC', state = 'active' }: { timezone?: string; state?: string } = {},
  ): Promise<Customer> {
    customers += 1
    const tenant_id = `c${customers}`
    const tax = { treatment: 'taxable', name: 'GST', rate: '0.10' }
    await books.ok('POST', '/tenants', {
      id: tenant_id,
      legal_name: tenant_id,
      country: 'AU',
      currency: 'USD',
      timezone,
      tax,
    })
    const { id: deployment_id } = await books.ok('POST', '/deployments', { tenant_id, slug: 'app', state })
    const { id } = await books.ok('POST', `/deployments/${deployment_id}/subscribe`, { plan_code: 'small', ...order })
    return { tenant_id, deployment_id, subscription_id: id, timezone }
  }

  async function use(
    of: Customer,
    meter: string,
    events: [quantity: string, occurred_at: string, properties?: object][],
  ) {
    const { deployment_id } = of
    const { accepted } = await books.ok('POST', '/usage/events', {
      events: events.map(([quantity, at, properties], index) => ({
        id: `${meter}/${at}/${index}`,
        deployment_id,
        meter,
        quantity,
        occurred_at: at.includes('T') ? at : `${at}${NOON}`,
        ...(properties && { properties }),
      })),
    })
    assert.equal(accepted, events.length)
    // What was promised held for what had been used until then.
    for (const key of previews.keys()) if (key.startsWith(`${of.tenant_id}/`)) previews.delete(key)
  }

  /** Previews a change, makes it, and remembers what was promised for each month. */
  async function change(of: Customer, path: string, body: object = {}) {
    return changeAt(of, `/subscriptions/${of.subscription_id}/${path}`, body)
  }

  const move = (of: Customer, to: string) =>
    changeAt(of, `/deployments/${of.deployment_id}/transition`, { to, reason: 'as asked' })

  async function changeAt(of: Customer, url: string, body: object) {
    const { months, next_invoice, difference_cents } = await books.ok('POST', `${url}?preview=true`, body)
    assert.equal(difference_cents, sumOf(months.map((month: any) => month.difference_cents)))
    for (const month of months) {
      const [credited, charged] = [month.credited, month.charged].map((rows) =>
        sumOf(rows.map((row: any) => row.amount_cents)),
      )
      assert.equal(month.difference_cents, (charged ?? 0) - (credited ?? 0))
      assert.equal(month.difference_cents, month.after.total_cents - month.before.total_cents)
      previews.set(`${of.tenant_id}/${month.period.start.slice(0, 7)}`, month.after)
    }
    await books.ok('POST', url, body)
    return { months, next_invoice, difference_cents }
  }

  /** The month's invoice is that of the hand, the projection, the quotes of its segments, and the last preview. */
  async function billed(of: Customer, { month, lines, total, quotes = [], unquoted = [] }: Bill) {
    const period = present(parseMonth(month), 'a month')
    const end = period.end.toZonedDateTime(of.timezone).toInstant()
    books.clock.set(end.subtract({ minutes: 1 }))
    const { to_end_of_period } = await books.ok('GET', `/deployments/${of.deployment_id}/projection`)
    books.clock.set(end.add({ hours: 1 }))
    await books.ok('POST', '/invoices/rollup', { period: month, tenant_id: of.tenant_id })
    const invoices = (await books.call('GET', `/invoices?period=${month}&tenant_id=${of.tenant_id}`)).body.data
    assert.equal(invoices.length, lines.length === 0 ? 0 : 1)
    const invoice =
      lines.length === 0 ? { lines: [], total_cents: 0 } : await books.ok('GET', `/invoices/${invoices[0].id}`)
    assert.deepEqual(withoutTax(invoice), lines)
    assert.equal(invoice.total_cents, total)
    assert.deepEqual([withoutTax(to_end_of_period), to_end_of_period.total_cents], [lines, total])
    const preview = previews.get(`${of.tenant_id}/${month}`)
    if (preview) assert.deepEqual([withoutTax(preview), preview.total_cents], [lines, total])
    if (quotes.length > 0) {
      const quoted: Line[] = []
      for (const request of quotes) {
        const facts = { period: { start: period.start, end: period.end }, tenant_id: of.tenant_id, ...request }
        quoted.push(...withoutTax(await books.ok('POST', '/quotes', facts)))
      }
      assert.deepEqual(
        quoted,
        lines.filter((_, index) => !unquoted.includes(index)),
      )
    }
  }

  const days = (start: string, end: string) => ({ active: { start, end } })
  const story = (promise: string, now: string, told: () => Promise<void>): void => {
    test(promise, async () => {
      books.clock.set(now.includes('T') ? now : `${now}${NOON}`)
      await told()
    })
  }

  story('an upgrade in the middle of a month', '2026-04-20', async () => {
    const c = await subscribed({ start_date: '2026-04-01' })
    await use(c, 'calls', [
      ['40', '2026-04-05'],
      ['200', '2026-04-12'],
    ])
    const { difference_cents } = await change(c, 'plan-change', { plan_code: 'large', effective_date: '2026-04-11' })
    // Before: 30.00 + 24.00, 59.40 with tax. After: 30.00 × 10/30 + 4.00 + 80.00 × 20/30 + 10.00 = 77.33, tax 7.73.
    assert.equal(difference_cents, 8_506 - 5_940)
    await billed(c, {
      month: '2026-04',
      lines: [
        ['plan_base', 1_000],
        ['usage', 400],
        ['plan_base', 5_333],
        ['usage', 1_000],
      ],
      total: 8_506,
      quotes: [
        { plan: { code: 'small' }, ...days('2026-04-01', '2026-04-11'), usage: { calls: '40' } },
        { plan: { code: 'large' }, ...days('2026-04-11', '2026-05-01'), usage: { calls: '200' } },
      ],
    })
  })

  story('a downgrade in the middle of a month, now', '2026-04-21', async () => {
    const c = await subscribed({ plan_code: 'large', start_date: '2026-04-01' })
    const { months } = await change(c, 'plan-change', { plan_code: 'small', when: 'now' })
    // 80.00 becomes 80.00 × 20/30: 26.67 less; 30.00 × 10/30 more; the tax 8.00 becomes 6.33.
    const amounts = (rows: any[]) => rows.map((row) => [row.description, row.amount_cents])
    assert.deepEqual(amounts(months[0].credited), [
      ['large v1 base price', 2_667],
      ['GST 10 %', 167],
    ])
    assert.deepEqual(amounts(months[0].charged), [['small v1 base price', 1_000]])
    await billed(c, {
      month: '2026-04',
      lines: [
        ['plan_base', 5_333],
        ['plan_base', 1_000],
      ],
      total: 6_966,
      quotes: [
        { plan: { code: 'large' }, ...days('2026-04-01', '2026-04-21') },
        { plan: { code: 'small' }, ...days('2026-04-21', '2026-05-01') },
      ],
    })
  })

  story('three changes in one month', '2026-04-02', async () => {
    const c = await subscribed({ start_date: '2026-04-01' })
    for (const [plan_code, effective_date] of [
      ['large', '2026-04-08'],
      ['small', '2026-04-15'],
      ['large', '2026-04-22'],
    ]) {
      await change(c, 'plan-change', { plan_code, effective_date })
    }
    // 7 days at 30.00, 80.00 and 30.00, and 9 at 80.00: 56.67, tax 5.67.
    await billed(c, {
      month: '2026-04',
      lines: [
        ['plan_base', 700],
        ['plan_base', 1_867],
        ['plan_base', 700],
        ['plan_base', 2_400],
      ],
      total: 6_234,
      quotes: [
        { plan: { code: 'small' }, ...days('2026-04-01', '2026-04-08') },
        { plan: { code: 'large' }, ...days('2026-04-08', '2026-04-15') },
        { plan: { code: 'small' }, ...days('2026-04-15', '2026-04-22') },
        { plan: { code: 'large' }, ...days('2026-04-22', '2026-05-01') },
      ],
    })
  })

  story('changes on one day: the last one holds, and one taken back leaves no trace', '2026-04-11', async () => {
    const c = await subscribed({ start_date: '2026-04-01' })
    await change(c, 'plan-change', { plan_code: 'large' })
    await change(c, 'plan-change', { plan_code: 'small' })
    await billed(c, {
      month: '2026-04',
      lines: [['plan_base', 3_000]],
      total: 3_300,
      quotes: [{ plan: { code: 'small' } }],
    })
  })

  story('a plan change at the end of the period', '2026-04-11', async () => {
    const c = await subscribed({ start_date: '2026-04-01' })
    await change(c, 'plan-change', { plan_code: 'large', when: 'period_end' })
    await billed(c, {
      month: '2026-04',
      lines: [['plan_base', 3_000]],
      total: 3_300,
      quotes: [{ plan: { code: 'small' } }],
    })
    await billed(c, {
      month: '2026-05',
      lines: [['plan_base', 8_000]],
      total: 8_800,
      quotes: [{ plan: { code: 'large' } }],
    })
  })

  story('cancelled on the first day only usage is due; on the last day all but that day', '2026-04-01', async () => {
    const unused = await subscribed({ start_date: '2026-04-01' })
    await change(unused, 'cancel')
    await billed(unused, { month: '2026-04', lines: [], total: 0 })
    books.clock.set(`2026-04-16${NOON}`)
    const first = await subscribed({})
    await use(first, 'calls', [
      ['30', '2026-04-16T08:00:00Z'],
      ['5', '2026-04-15T08:00:00Z'],
    ])
    await change(first, 'cancel')
    await billed(first, {
      month: '2026-04',
      lines: [['usage', 300]],
      total: 330,
      quotes: [{ plan: { code: 'small' }, ...days('2026-04-16', '2026-04-16'), usage: { calls: '30' } }],
    })
    books.clock.set(`2026-04-30${NOON}`)
    const last = await subscribed({ start_date: '2026-04-01' })
    await change(last, 'cancel', { end_date: '2026-04-30' })
    // 30.00 × 29/30, tax 2.90.
    await billed(last, {
      month: '2026-04',
      lines: [['plan_base', 2_900]],
      total: 3_190,
      quotes: [{ plan: { code: 'small' }, ...days('2026-04-01', '2026-04-30') }],
    })
    books.clock.set(`2026-04-30${NOON}`)
    const whole = await subscribed({ start_date: '2026-04-01' })
    await change(whole, 'cancel', { when: 'period_end' })
    await billed(whole, {
      month: '2026-04',
      lines: [['plan_base', 3_000]],
      total: 3_300,
      quotes: [{ plan: { code: 'small' } }],
    })
    // What is used on the first of the next month, the day of the end, is that month's.
    await use(whole, 'calls', [['20', '2026-05-01T00:30:00Z']])
    await billed(whole, {
      month: '2026-05',
      lines: [['usage', 200]],
      total: 220,
      quotes: [{ plan: { code: 'small' }, ...days('2026-05-01', '2026-05-01'), usage: { calls: '20' } }],
    })
  })

  story('a pause over the end of a month, with usage in it', '2026-04-21', async () => {
    const c = await subscribed({ start_date: '2026-04-01' })
    // 30.00 becomes 30.00 × 20/30; the tax 1.00 less.
    assert.equal((await move(c, 'paused')).difference_cents, -1_100)
    books.clock.set(`2026-04-25${NOON}`)
    await use(c, 'calls', [['10', '2026-04-25']])
    await billed(c, {
      month: '2026-04',
      lines: [
        ['plan_base', 2_000],
        ['usage', 100],
      ],
      total: 2_310,
      quotes: [{ plan: { code: 'small' }, ...days('2026-04-01', '2026-04-21') }],
      unquoted: [1],
    })
    books.clock.set(`2026-05-11${NOON}`)
    // 30.00 × 21/31 = 20.3225…
    assert.equal((await move(c, 'active')).difference_cents, 2_235)
    await billed(c, {
      month: '2026-05',
      lines: [['plan_base', 2_032]],
      total: 2_235,
      quotes: [{ plan: { code: 'small' }, ...days('2026-05-11', '2026-06-01') }],
    })
  })

  story(
    'a deployment that is cancelled ends its subscription, as previewed; past due changes nothing',
    '2026-04-16',
    async () => {
      const c = await subscribed({ start_date: '2026-04-01' })
      await use(c, 'calls', [['10', '2026-04-16T08:00:00Z']])
      assert.deepEqual((await move(c, 'past_due')).months, [])
      const { months, next_invoice } = await move(c, 'cancelled')
      assert.deepEqual(
        months[0].credited.map((row: any) => [row.description, row.amount_cents]),
        [
          ['small v1 base price', 1_500],
          ['GST 10 %', 150],
        ],
      )
      assert.equal(next_invoice.after.total_cents, 1_760)
      await billed(c, {
        month: '2026-04',
        lines: [
          ['plan_base', 1_500],
          ['usage', 100],
        ],
        total: 1_760,
        quotes: [{ plan: { code: 'small' }, ...days('2026-04-01', '2026-04-16'), usage: { calls: '10' } }],
      })
    },
  )

  story('a trial into paid, by the job', '2026-04-01', async () => {
    const c = await subscribed({ start_date: '2026-04-01', trial_days: 10 }, { state: 'trial' })
    await use(c, 'calls', [['10', '2026-04-01']])
    const { edge, jobs } = books.app
    const onTransition: TransitionHook = (tx, transition) => followDeployment(tx, transition, edge)
    const [endTrials] = subscriptionsJobs(edge, { onTransition })
    const run = () => jobs.runNow(present(endTrials, 'the job'), {})
    books.clock.set('2026-04-10T23:59:00Z')
    assert.equal((await run()).outcome, 'skipped')
    books.clock.set('2026-04-11T00:17:00Z')
    assert.equal((await run()).outcome, 'done')
    assert.equal((await books.ok('GET', `/deployments/${c.deployment_id}`)).state, 'active')
    await use(c, 'calls', [['20', '2026-04-11T00:10:00Z']])
    // The trial's calls are shown at 0; 30.00 × 20/30 and 2.00.
    await billed(c, {
      month: '2026-04',
      lines: [
        ['usage', 0],
        ['plan_base', 2_000],
        ['usage', 200],
      ],
      total: 2_420,
      quotes: [{ plan: { code: 'small' }, ...days('2026-04-11', '2026-05-01'), usage: { calls: '20' } }],
      unquoted: [0],
    })
  })

  story(
    'from 31 January: a day of January, then whole months; a year from 31 January to 31 January',
    '2026-01-31',
    async () => {
      const monthly = await subscribed({ start_date: '2026-01-31' })
      const yearly = await subscribed({ plan_code: 'yearly', start_date: '2026-01-31' })
      const year = (start: string, end: string) => ({ plan: { code: 'yearly' }, year: { start, end } })
      // 30.00 × 1/31 = 0.9677…
      const day = days('2026-01-31', '2026-02-01')
      await billed(monthly, {
        month: '2026-01',
        lines: [['plan_base', 97]],
        total: 107,
        quotes: [{ plan: { code: 'small' }, ...day }],
      })
      await billed(yearly, {
        month: '2026-01',
        lines: [['plan_base', 36_500]],
        total: 40_150,
        quotes: [{ ...year('2026-01-31', '2027-01-31'), ...day }],
      })
      await billed(monthly, {
        month: '2026-02',
        lines: [['plan_base', 3_000]],
        total: 3_300,
        quotes: [{ plan: { code: 'small' } }],
      })
      await billed(yearly, { month: '2026-02', lines: [], total: 0, quotes: [year('2026-01-31', '2027-01-31')] })
      await billed(yearly, { month: '2027-01', lines: [['plan_base', 36_500]], total: 40_150 })
    },
  )

  story(
    'a yearly plan from 29 February on: 28 February where there is none, left before its end',
    '2028-02-29',
    async () => {
      const stays = await subscribed({ plan_code: 'yearly', start_date: '2028-02-29' })
      const leaves = await subscribed({ plan_code: 'yearly', start_date: '2028-02-29' })
      const year = { plan: { code: 'yearly' }, year: { start: '2028-02-29', end: '2029-02-28' } }
      const price: Line = ['plan_base', 36_500]
      const quotes = [{ ...year, ...days('2028-02-29', '2028-03-01') }]
      await billed(stays, { month: '2028-02', lines: [price], total: 40_150, quotes })
      await billed(leaves, { month: '2028-02', lines: [price], total: 40_150, quotes })
      books.clock.set(`2028-03-11${NOON}`)
      // 11 of the 365 days are gone: 354 are given back, and a monthly price begins.
      await change(leaves, 'plan-change', { plan_code: 'small' })
      await billed(leaves, {
        month: '2028-03',
        lines: [
          ['credit', -35_400],
          ['plan_base', 2_032],
        ],
        total: -36_705,
        quotes: [
          { ...year, ...days('2028-03-01', '2028-03-11') },
          { plan: { code: 'small' }, ...days('2028-03-11', '2028-04-01') },
        ],
      })
      await billed(stays, { month: '2028-03', lines: [], total: 0 })
      await billed(stays, { month: '2029-02', lines: [price], total: 40_150 })
      await billed(stays, { month: '2032-02', lines: [price], total: 40_150 })
    },
  )

  story('a day begins when it does where the tenant is, from −11 to +14', '2026-04-10T10:30:00Z', async () => {
    const east = await subscribed({ start_date: '2026-03-01' }, { timezone: 'Pacific/Kiritimati' })
    const west = await subscribed({ start_date: '2026-03-01' }, { timezone: 'Pacific/Pago_Pago' })
    for (const c of [east, west]) {
      // In Kiritimati it is the 2nd of April, 00:30; in Pago Pago still the 31st of March, 23:30.
      await use(c, 'calls', [['10', '2026-04-01T10:30:00Z']])
      // And now the 11th there, the 9th here.
      await change(c, 'plan-change', { plan_code: 'large' })
    }
    await billed(east, {
      month: '2026-04',
      lines: [
        ['plan_base', 1_000],
        ['usage', 100],
        ['plan_base', 5_333],
      ],
      total: 7_076,
      quotes: [
        { plan: { code: 'small' }, ...days('2026-04-01', '2026-04-11'), usage: { calls: '10' } },
        { plan: { code: 'large' }, ...days('2026-04-11', '2026-05-01') },
      ],
    })
    await billed(west, {
      month: '2026-04',
      lines: [
        ['plan_base', 800],
        ['plan_base', 5_867],
      ],
      total: 7_334,
      quotes: [
        { plan: { code: 'small' }, ...days('2026-04-01', '2026-04-09') },
        { plan: { code: 'large' }, ...days('2026-04-09', '2026-05-01') },
      ],
    })
    await billed(east, {
      month: '2026-03',
      lines: [['plan_base', 3_000]],
      total: 3_300,
      quotes: [{ plan: { code: 'small' } }],
    })
    await billed(west, {
      month: '2026-03',
      lines: [
        ['plan_base', 3_000],
        ['usage', 100],
      ],
      total: 3_410,
      quotes: [{ plan: { code: 'small' }, usage: { calls: '10' } }],
    })
  })

  story('months with a longer and a shorter day: days count whole, levels by the hour', '2026-03-20', async () => {
    await sell('stored', {
      currency: 'USD',
      base_price_cents: 3_000,
      charges: [{ meter: 'level', model: 'per_unit', unit_price: '0.01' }],
    })
    const c = await subscribed({ plan_code: 'stored', start_date: '2026-04-01' }, { timezone: 'Australia/Sydney' })
    await use(c, 'level', [['1', '2026-03-20']])
    const quotes = [
      { plan: { code: 'stored' }, usage: { level: [{ quantity: '1', occurred_at: `2026-03-20${NOON}` }] } },
    ]
    // 30 days and an hour: 721 GB·h. The projection looks a minute before the end, which is 721 − 1/60.
    await billed(c, {
      month: '2026-04',
      lines: [
        ['plan_base', 3_000],
        ['usage', 721],
      ],
      total: 4_093,
      quotes,
    })
    // 31 days less an hour: 743 GB·h.
    await billed(c, {
      month: '2026-10',
      lines: [
        ['plan_base', 3_000],
        ['usage', 743],
      ],
      total: 4_117,
      quotes,
    })
    // A change on the day of the switch still cuts it in whole days.
    books.clock.set(`2027-04-04${NOON}`)
    await change(c, 'plan-change', { plan_code: 'small', effective_date: '2027-04-04' })
    // 3 days are 72 hours: 0.72; then 27 days at 30.00.
    await billed(c, {
      month: '2027-04',
      lines: [
        ['plan_base', 300],
        ['usage', 72],
        ['plan_base', 2_700],
      ],
      total: 3_379,
      quotes: [
        { plan: { code: 'stored' }, ...days('2027-04-01', '2027-04-04'), usage: { level: '72' } },
        { plan: { code: 'small' }, ...days('2027-04-04', '2027-05-01') },
      ],
    })
  })

  story('an add-on whose price changes keeps it where it is attached', '2026-04-01', async () => {
    const addon = { code: 'backup', name: 'Backup', price_cents: 750, currency: 'USD', quantity: '1' }
    await books.ok('POST', '/addons', addon)
    const c = await subscribed({ start_date: '2026-04-01', addons: [{ code: 'backup' }] })
    await books.ok('PATCH', '/addons/backup', { price_cents: 1_000 })
    books.clock.set(`2026-04-16${NOON}`)
    await change(c, 'addons', { code: 'backup' })
    const at = (price_cents: number) => ({ code: 'backup', name: 'Backup', price_cents, quantity: '1' })
    // The second one costs 10.00 × 15/30.
    await billed(c, {
      month: '2026-04',
      lines: [
        ['plan_base', 3_000],
        ['addon', 750],
        ['addon', 500],
      ],
      total: 4_675,
      quotes: [
        {
          plan: { code: 'small' },
          addons: [at(750), { ...at(1_000), active: { start: '2026-04-16', end: '2026-05-01' } }],
        },
      ],
    })
  })

  story('an add-on attached in the middle of a month leaves what the plan charges as it is', '2026-04-11', async () => {
    const charges = [
      {
        meter: 'calls',
        model: 'graduated',
        tiers: [
          { up_to: '10', unit_price: '10' },
          { up_to: null, unit_price: '1' },
        ],
      },
      { meter: 'requests', model: 'per_unit', unit_price: '0.01', min_amount: '30' },
      { meter: 'payments', model: 'per_unit', unit_price: '0.01', max_amount: '30' },
    ]
    await sell('whole', { ...SMALL, base_price_cents: 0, charges })
    const free = { name: 'Free', price_cents: 0, quantity: '1' }
    await books.ok('POST', '/addons', { ...free, code: 'free', currency: 'USD' })
    const c = await subscribed({ plan_code: 'whole', start_date: '2026-04-01' })
    await use(c, 'calls', [
      ['10', '2026-04-05'],
      ['20', '2026-04-11'],
    ])
    for (const meter of ['requests', 'payments']) {
      await use(c, meter, [
        ['2333', '2026-04-05'],
        ['667', '2026-04-11'],
      ])
    }
    const { difference_cents } = await change(c, 'addons', { code: 'free' })
    assert.equal(difference_cents, 0)
    // 10 × 10 + 20 × 1; 3,000 × 0.01 is both the minimum and the maximum.
    await billed(c, {
      month: '2026-04',
      lines: [
        ['addon', 0],
        ['usage', 12_000],
        ['usage', 3_000],
        ['usage', 3_000],
      ],
      total: 19_800,
      quotes: [
        {
          plan: { code: 'whole' },
          usage: { calls: '30', requests: '3000', payments: '3000' },
          addons: [{ ...free, code: 'free', active: { start: '2026-04-11', end: '2026-05-01' } }],
        },
      ],
    })
    const { tenants } = await books.ok('POST', '/what-if', {
      plan: { code: 'whole', version: 1 },
      from: '2026-04',
      to: '2026-04',
    })
    assert.deepEqual(
      tenants.map((row: any) => [row.tenant_id, row.revenue_now_cents, row.revenue_then_cents]),
      [[c.tenant_id, 18_000, 18_000]],
    )
  })

  story(
    'an add-on over a change to a plan that is not prorated costs its price, and no more',
    '2026-04-16',
    async () => {
      await sell('flat', { ...SMALL, base_price_cents: 9_000, proration: 'none' })
      const extra = { name: 'Extra', price_cents: 750, quantity: '1' }
      await books.ok('POST', '/addons', { ...extra, code: 'extra', currency: 'USD' })
      const c = await subscribed({ start_date: '2026-04-01', addons: [{ code: 'extra' }] })
      await change(c, 'plan-change', { plan_code: 'flat' })
      await billed(c, {
        month: '2026-04',
        lines: [
          ['plan_base', 1_500],
          ['addon', 750],
          ['plan_base', 9_000],
        ],
        total: 12_375,
      })
    },
  )

  story('a discount that runs out, on the base price alone', '2026-04-11', async () => {
    const c = await subscribed({ start_date: '2026-04-01' })
    await use(c, 'calls', [['50', '2026-04-05']])
    const discount = { name: 'Welcome', rate: '0.2', line_kinds: ['plan_base'] }
    await change(c, 'discounts', { ...discount, periods: 2 })
    const plan = { code: 'small' }
    await billed(c, {
      month: '2026-04',
      lines: [
        ['plan_base', 3_000],
        ['usage', 500],
        ['credit', -600],
      ],
      total: 3_190,
      quotes: [{ plan, usage: { calls: '50' }, discounts: [discount] }],
    })
    await billed(c, {
      month: '2026-05',
      lines: [
        ['plan_base', 3_000],
        ['credit', -600],
      ],
      total: 2_640,
      quotes: [{ plan, discounts: [discount] }],
    })
    await billed(c, { month: '2026-06', lines: [['plan_base', 3_000]], total: 3_300, quotes: [{ plan }] })
  })

  story('prices of one’s own, a commitment, and a fixed discount spread over the lines', '2026-04-11', async () => {
    const c = await subscribed({ start_date: '2026-04-01' })
    await use(c, 'calls', [['100', '2026-04-05']])
    const override = { base_price_cents: 2_000, commitment_cents: 5_000, charges: [CALLS('0.07')] }
    await change(c, 'overrides', { ...override, start_date: '2026-04-01' })
    await change(c, 'discounts', { name: 'Loyal', amount_cents: 1_000 })
    // 20.00 and 7.00 lack 23.00 to 50.00; 10.00 over 50.00 is a fifth of each.
    const plan = { ...SMALL, ...override }
    await billed(c, {
      month: '2026-04',
      lines: [
        ['plan_base', 2_000],
        ['usage', 700],
        ['minimum', 2_300],
        ['credit', -400],
        ['credit', -140],
        ['credit', -460],
      ],
      total: 4_400,
      quotes: [{ plan, usage: { calls: '100' }, discounts: [{ name: 'Loyal', amount_cents: 1_000 }] }],
    })
    // A change of plan drops the override with its commitment; the discount stays.
    books.clock.set(`2026-05-01${NOON}`)
    await change(c, 'plan-change', { plan_code: 'large' })
    await billed(c, {
      month: '2026-05',
      lines: [
        ['plan_base', 8_000],
        ['credit', -1_000],
      ],
      total: 7_700,
      quotes: [{ plan: { code: 'large' }, discounts: [{ name: 'Loyal', amount_cents: 1_000 }] }],
    })
  })

  story(
    'the projection so far: prices by the days that have begun, a year and a fixed discount whole',
    '2026-04-10',
    async () => {
      const c = await subscribed({ start_date: '2026-04-01' })
      await change(c, 'overrides', { commitment_cents: 6_000, start_date: '2026-04-01' })
      await change(c, 'discounts', { name: 'Loyal', amount_cents: 500 })
      const projection = await books.ok('GET', `/deployments/${c.deployment_id}/projection`)
      // 10 of 30 days: 10.00 lack 10.00 to a third of 60.00.
      assert.deepEqual(withoutTax(projection.so_far), [
        ['plan_base', 1_000],
        ['minimum', 1_000],
        ['credit', -250],
        ['credit', -250],
      ])
      assert.deepEqual([projection.so_far.total_cents, projection.to_end_of_period.total_cents], [1_650, 6_050])
      const y = await subscribed({ plan_code: 'yearly', start_date: '2026-04-05' })
      const { so_far, to_end_of_period } = await books.ok('GET', `/deployments/${y.deployment_id}/projection`)
      assert.deepEqual([withoutTax(so_far), so_far.total_cents], [[['plan_base', 36_500]], 40_150])
      assert.equal(to_end_of_period.total_cents, 40_150)
    },
  )

  story('a commitment is cut where it changes, by days', '2026-04-16', async () => {
    const c = await subscribed({ start_date: '2026-04-01' })
    await change(c, 'overrides', { commitment_cents: 10_000 })
    // 15 days without and 15 with 100.00: 50.00, of which 30.00 are there.
    await billed(c, {
      month: '2026-04',
      lines: [
        ['plan_base', 1_500],
        ['plan_base', 1_500],
        ['minimum', 2_000],
      ],
      total: 5_500,
    })
  })

  story('charges with filters, and a fee for each event', '2026-04-20', async () => {
    const charges = [
      { meter: 'requests', filter: { region: ['syd1'] }, model: 'per_unit', unit_price: '0.02' },
      { meter: 'requests', model: 'per_unit', unit_price: '0.01', included_quantity: '10' },
      { meter: 'payments', model: 'percentage', rate: '0.0299', min_per_event: '1.75', max_per_event: '12' },
    ]
    await sell('metered', { currency: 'USD', base_price_cents: 0, charges })
    const c = await subscribed({ plan_code: 'metered', start_date: '2026-04-01' })
    await use(c, 'requests', [
      ['60', '2026-04-02', { region: 'syd1' }],
      ['40', '2026-04-03', { region: 'syd1' }],
    ])
    await use(c, 'requests', [
      ['35', '2026-04-04', { region: 'fra1' }],
      ['25', '2026-04-05'],
    ])
    await use(c, 'payments', [
      ['10', '2026-04-06'],
      ['80', '2026-04-07'],
      ['10000', '2026-04-08'],
    ])
    // 100 × 0.02; (60 − 10) × 0.01; 1.75 + 2.392 + 12.
    const usage = {
      requests: [
        { quantity: '60', properties: { region: 'syd1' } },
        { quantity: '40', properties: { region: 'syd1' } },
        { quantity: '60', properties: { region: 'fra1' } },
      ],
      payments: [{ quantity: '10000' }, { quantity: '80' }, { quantity: '10' }],
    }
    await billed(c, {
      month: '2026-04',
      lines: [
        ['usage', 200],
        ['overage', 50],
        ['usage', 1_614],
      ],
      total: 2_050,
      quotes: [{ plan: { code: 'metered' }, usage }],
    })
  })

  story('every aggregation comes to what the guide says', '2026-04-30', async () => {
    const c = await subscribed({ start_date: '2026-04-01' })
    for (const aggregation of AGGREGATIONS) {
      const unique = aggregation === 'unique_count' && { unique_property: 'user' }
      await books.ok('POST', '/meters', { code: `by_${aggregation}`, name: 'A', unit: 'one', aggregation, ...unique })
      await use(c, `by_${aggregation}`, [
        ['4', '2026-04-01T00:00:00Z', { user: 'ann' }],
        ['10', '2026-04-11T00:00:00Z', { user: 'bob' }],
        ['1', '2026-04-21T00:00:00Z', { user: 'ann' }],
      ])
    }
    books.clock.set('2026-05-01T00:00:00Z')
    const { meters } = await books.ok('GET', `/deployments/${c.deployment_id}/usage?period=2026-04`)
    assert.deepEqual(Object.fromEntries(meters.map((row: any) => [row.meter, row.quantity])), {
      by_sum: '15',
      by_count: '3',
      by_max: '10',
      by_last: '1',
      by_unique_count: '2',
      by_time_weighted_sum: '7920',
    })
  })

  story(
    'a change that reaches into an issued month comes with the next invoice, as previewed',
    '2026-04-02',
    async () => {
      const c = await subscribed({ start_date: '2026-04-01' })
      await billed(c, { month: '2026-04', lines: [['plan_base', 3_000]], total: 3_300 })
      const [april] = (await books.call('GET', `/invoices?period=2026-04&tenant_id=${c.tenant_id}`)).body.data
      await books.ok('POST', `/invoices/${april.id}/issue`, {})
      books.clock.set(`2026-05-20${NOON}`)
      const { months, next_invoice } = await change(c, 'discounts', {
        name: 'Sorry',
        rate: '0.5',
        start_date: '2026-04-01',
        periods: 1,
      })
      assert.deepEqual(
        months.map((month: any) => [month.period.start, month.difference_cents]),
        [['2026-04-01', -1_650]],
      )
      books.clock.set(`2026-06-01${NOON}`)
      await books.ok('POST', '/invoices/rollup', { period: '2026-05', tenant_id: c.tenant_id })
      const [listed] = (await books.call('GET', `/invoices?period=2026-05&tenant_id=${c.tenant_id}`)).body.data
      const may = await books.ok('GET', `/invoices/${listed.id}`)
      // 33.00 less 16.50, tax included.
      assert.deepEqual(
        [withoutTax(may), may.total_cents],
        [
          [
            ['plan_base', 3_000],
            ['adjustment', -1_500],
          ],
          1_650,
        ],
      )
      assert.deepEqual(
        [withoutTax(next_invoice.after), next_invoice.after.total_cents, next_invoice.difference_cents],
        [withoutTax(may), 1_650, -1_650],
      )
    },
  )

  story(
    'what if: nobody wins or loses under the same version; a draft is dearer to some, and is not stored',
    '2026-05-02',
    async () => {
      await sell('asked', SMALL)
      const [few, many] = [
        await subscribed({ plan_code: 'asked', start_date: '2026-04-01' }),
        await subscribed({ plan_code: 'asked', start_date: '2026-04-01' }),
      ]
      await use(many, 'calls', [['1000', '2026-04-05']])
      await books.ok('POST', '/plans/asked/versions', { ...SMALL, base_price_cents: 5_000, charges: [CALLS('0.02')] })
      const ask = (version: number) =>
        books.ok('POST', '/what-if', { plan: { code: 'asked', version }, from: '2026-04', to: '2026-04' })
      const rows = ({ tenants }: any) =>
        tenants.map((row: any) => [row.tenant_id, row.revenue_now_cents, row.revenue_then_cents, row.outcome])
      assert.deepEqual(rows(await ask(2)), [
        [many.tenant_id, 13_000, 7_000, 'winner'],
        [few.tenant_id, 3_000, 5_000, 'loser'],
      ])
      assert.deepEqual(
        rows(await ask(1)).map((row: unknown[]) => row[3]),
        ['same', 'same'],
      )
      await billed(many, {
        month: '2026-04',
        lines: [
          ['plan_base', 3_000],
          ['usage', 10_000],
        ],
        total: 14_300,
      })
    },
  )

  story('what if, with the cost of the month’s bill', '2026-05-02T06:00:00Z', async () => {
    const version = { ...SMALL, base_price_cents: 5_000, charges: [] }
    await sell('studio', version)
    const tenant = { legal_name: 'Boab Pty Ltd', country: 'AU', currency: 'USD', timezone: 'UTC' }
    await books.ok('POST', '/tenants', { id: 'boab', ...tenant })
    const { id } = await books.ok('POST', '/deployments', { tenant_id: 'boab', slug: 'studio' })
    await books.ok('POST', `/deployments/${id}/subscribe`, { plan_code: 'studio', start_date: '2026-04-01' })
    await books.sync()
    await books.ok('POST', '/plans/studio/versions', { ...version, base_price_cents: 1_000 })
    const plan = { code: 'studio', version: 2 }
    const { totals } = await books.ok('POST', '/what-if', { plan, from: '2026-04', to: '2026-04' })
    // The three droplets cost 12.00, as GET /margin has it.
    const { rows } = await books.ok('GET', '/margin?period=2026-04&group_by=deployment')
    assert.equal(rows.find((row: any) => row.deployment_id === id).cost_cents, 1_200)
    assert.deepEqual(
      [totals.cost_cents, totals.margin_now_cents, totals.margin_then_cents, totals.coverage],
      [1_200, 3_800, -200, '1'],
    )
  })
}

function withoutTax({ lines }: { lines: { kind: string; amount_cents: number }[] }): Line[] {
  return lines.flatMap(({ kind, amount_cents }): Line[] => (kind === 'tax' ? [] : [[kind, amount_cents]]))
}

function sumOf(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0)
}
