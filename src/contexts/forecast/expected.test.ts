import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assert as check, array, bigInt, constantFrom, integer, property, record, shuffledSubarray } from 'fast-check'
import { type Decimal, decimal, fixed, plain, sum } from '../../kernel/decimal.ts'
import { instantsOf, parseMonth, type Period } from '../../kernel/period.ts'
import { expectedCosts, expectedLines, type RentedSpan } from './expected.ts'

const month = (label: string): Period => parseMonth(label) as Period
const APRIL = month('2026-04')
const LATER = '2026-06-01T00:00:00Z'

describe('what real bills charged is expected', () => {
  const twenty = { kind: 'droplet', size: 's-2vcpu-4gb' }
  const cases: [promise: string, span: Partial<RentedSpan>, of: string, amount: string][] = [
    ['446 hours at 20.00', { ...twenty, starts_at: at('2019-01-13T09:39:51Z') }, '2019-01', '13.27'],
    ['297 hours at 20.00', { ...twenty, ends_at: at('2019-01-13T09:31:34Z') }, '2019-01', '8.84'],
    ['744 hours are capped at 20.00', twenty, '2019-01', '20'],
    ['the price of the time', twenty, '2025-03', '24'],
    ['a volume of 100 GB', { kind: 'volume', size: '100GiB', size_gb: '100' }, '2019-01', '10'],
    ['a snapshot of 10.15 GB', { kind: 'snapshot', size: 'droplet', size_gb: '10.15' }, '2025-03', '0.61'],
    [
      'an address that nobody uses',
      { kind: 'reserved_ip', size: 'unassigned', ends_at: at('2020-07-22T18:14:39Z') },
      '2020-07',
      '3.11',
    ],
    ['300.25 hours at 24.00', { ...twenty, ends_at: at('2026-04-13T12:15:00Z') }, '2026-04', '10.72'],
    [
      '57 hours at 23.92',
      {
        kind: 'droplet',
        size: 'gpu-h100x8-640gb',
        starts_at: at('2026-04-10T00:00:00Z'),
        ends_at: at('2026-04-12T09:00:00Z'),
      },
      '2026-04',
      '1363.44',
    ],
    ['a database of one node', { kind: 'database', size: 'db-s-1vcpu-1gb x1', size_gb: '10' }, '2026-04', '15.15'],
    ['a balancer of three nodes', { kind: 'load_balancer', size: 'regional x3' }, '2026-04', '36'],
  ]
  for (const [promise, of, label, amount] of cases) {
    test(`${promise}: ${amount}`, () => {
      assert.equal(expectedCosts([span(of)], month(label), at('2027-01-01T00:00:00Z'))[0]?.month_end, amount)
    })
  }

  test('five weekly backups of a droplet at 12.00: 2.40', () => {
    const droplet = span({ resource_id: 'd', kind: 'droplet', size: 's-1vcpu-2gb' })
    const backups = ['03', '10', '17', '24', '31'].map((day) => backupOf('d', `2025-03-${day}T12:06:00Z`))
    const expected = expectedCosts([droplet, ...backups], month('2025-03'), at(LATER))
    assert.deepEqual(
      expected.map(({ kind, resource_id, month_end }) => [kind, resource_id, month_end]),
      [
        ['droplet', 'd', '12'],
        ['backup', 'd', '2.4'],
      ],
    )
  })
})

test('the price that the provider told of the resource beats the book', () => {
  const told = span({ kind: 'droplet', size: 's-1vcpu-1gb', price_monthly: '7.50' })
  assert.equal(expectedCosts([told], APRIL, at(LATER))[0]?.month_end, '7.5')
})

test('a machine costs a minute or a cent at least', () => {
  const short = (seconds: number, price_monthly: string) =>
    expectedCosts(
      [span({ kind: 'droplet', price_monthly, ends_at: at('2026-04-01T00:00:00Z').add({ seconds }) })],
      APRIL,
      at(LATER),
    )[0]?.month_end
  assert.equal(short(1, '4'), '0.01')
  assert.equal(short(1, '67200'), '1.67')
  assert.equal(short(60, '67200'), '1.67')
  assert.equal(short(120, '67200'), '3.33')
})

test('a resize is two lines, each at its own price and rounded by itself', () => {
  const moment = at('2026-04-13T12:15:00Z')
  const spans = [
    span({ resource_id: 'd', kind: 'droplet', size: 's-1vcpu-512mb-10gb', ends_at: moment }),
    span({ resource_id: 'd', kind: 'droplet', size: 's-1vcpu-1gb', starts_at: moment }),
  ]
  assert.equal(expectedCosts(spans, APRIL, at(LATER))[0]?.month_end, '5.54')
})

test('a running month is known up to now, and to its end if everything stays as it is', () => {
  const spans = [
    span({ resource_id: 'd', kind: 'droplet', size: 's-1vcpu-2gb' }),
    backupOf('d', '2026-04-05T00:00:00Z', null),
    backupOf('d', '2026-04-12T00:00:00Z', null),
    span({ kind: 'volume', name: 'gone', size_gb: '672', ends_at: at('2026-04-02T00:00:00Z') }),
  ]
  const expected = expectedCosts(spans, APRIL, at('2026-04-15T00:00:00Z'))
  assert.deepEqual(
    expected.map(({ kind, so_far, month_end }) => [kind, so_far, month_end]),
    [
      ['droplet', '6', '12'],
      ['volume', '2.4', '2.4'],
      ['backup', '0.6', '2.4'],
    ],
  )
})

test('more backups than weeks are daily ones', () => {
  const days = Array.from({ length: 28 }, (_, day) => `2026-04-${String(day + 1).padStart(2, '0')}T01:00:00Z`)
  const droplet = span({ resource_id: 'd', kind: 'droplet', size: 's-1vcpu-2gb' })
  const expected = expectedCosts([droplet, ...days.map((day) => backupOf('d', day))], APRIL, at(LATER))
  assert.equal(expected.find(({ kind }) => kind === 'backup')?.month_end, '3.6')
})

test('nodes are billed with their cluster, once, and a control plane that is highly available beside them', () => {
  const node = { kind: 'kubernetes_node', size: 's-2vcpu-4gb', parent_id: 'c', parent_name: 'prod' }
  const cluster = { resource_id: 'c', kind: 'kubernetes_cluster', name: 'prod' }
  const spans = [
    span({ ...cluster, size: 's-2vcpu-4gb x2 + ha' }),
    span({ ...node, resource_id: 'n1' }),
    span({ ...node, resource_id: 'n2' }),
  ]
  assert.deepEqual(expectedCosts(spans, APRIL, at(LATER)), [
    {
      kind: 'kubernetes_cluster',
      resource_id: 'c',
      name: 'prod',
      so_far: '88',
      month_end: '88',
      unpriced: [],
    },
  ])
})

test('what has no known price is named, and is not 0', () => {
  const spans = [
    span({ kind: 'droplet', name: 'odd', size: 's-99vcpu' }),
    span({ kind: 'database', name: 'large', size: 'db-s-1vcpu-1gb x1', size_gb: '200' }),
    backupOf('nobody', '2026-04-05T00:00:00Z'),
  ]
  assert.deepEqual(
    expectedCosts(spans, APRIL, at(LATER)).map(({ so_far, month_end, unpriced }) => [so_far, month_end, unpriced]),
    [
      [null, null, ['droplet s-99vcpu']],
      [null, null, ['database db-s-1vcpu-1gb x1']],
      [null, null, ['backup of an unknown droplet']],
    ],
  )
})

test('an address in use costs nothing and is left out', () => {
  assert.deepEqual(expectedCosts([span({ kind: 'reserved_ip', size: 'assigned' })], APRIL, at(LATER)), [])
})

describe('for any spans', () => {
  const START = instantsOf(APRIL, 'UTC').start
  const SECONDS = 30 * 24 * 3600
  const anySpan = record({
    kind: constantFrom('droplet', 'volume', 'load_balancer'),
    price: constantFrom('4', '6', '510.72', '16074.24'),
    from: integer({ min: -1000, max: SECONDS - 1 }),
    seconds: integer({ min: 1, max: SECONDS }),
  })
  const spanOf = ({ kind, price, from, seconds }: { kind: string; price: string; from: number; seconds: number }) => {
    const starts_at = START.add({ seconds: from })
    return span({ kind, price_monthly: price, starts_at, ends_at: starts_at.add({ seconds }) })
  }
  const months = constantFrom(APRIL, month('2025-04'))
  const moved = (one: RentedSpan, to: Period): RentedSpan => {
    const shift = START.until(instantsOf(to, 'UTC').start)
    return { ...one, starts_at: one.starts_at.add(shift), ends_at: one.ends_at?.add(shift) ?? null }
  }
  const exact = (spans: readonly RentedSpan[], of: Period): string => {
    const lines = expectedLines(spans, { month: of, window: instantsOf(of, 'UTC') })
    return plain(sum(lines.flatMap(({ amount }): Decimal[] => (amount === null ? [] : [amount]))))
  }

  test('a month never costs more than its price', () => {
    check(
      property(anySpan, months, (facts, of) => {
        assert.ok(decimal(exact([moved(spanOf(facts), of)], of)).lte(decimal(facts.price)))
      }),
    )
  })

  test('a span that is cut at any second costs the same, before rounding', () => {
    check(
      property(anySpan, months, bigInt({ min: 1n, max: BigInt(SECONDS) }), (facts, of, cut) => {
        const whole = moved(spanOf(facts), of)
        const middle = whole.starts_at.add({ seconds: Number(cut % BigInt(facts.seconds)) })
        if (Temporal.Instant.compare(middle, whole.starts_at) <= 0) return
        const parts = [
          { ...whole, ends_at: middle },
          { ...whole, starts_at: middle, name: 'renamed' },
        ]
        assert.equal(exact(parts, of), exact([whole], of))
      }),
    )
  })

  test('their order is of no account', () => {
    check(
      property(
        array(anySpan, { minLength: 2, maxLength: 6 }).chain((facts) => {
          const spans = facts.map((one, index) => ({ ...spanOf(one), resource_id: String(index % 3) }))
          return shuffledSubarray(spans, { minLength: spans.length }).map((shuffled) => ({ spans, shuffled }))
        }),
        ({ spans, shuffled }) => {
          const amounts = (of: readonly RentedSpan[]) =>
            expectedCosts(of, APRIL, at(LATER))
              .map(
                ({ kind, resource_id, month_end }) => `${kind} ${resource_id} ${fixed(decimal(month_end ?? '0'), 2)}`,
              )
              .toSorted()
          assert.deepEqual(amounts(shuffled), amounts(spans))
        },
      ),
    )
  })
})

function span(of: Partial<RentedSpan>): RentedSpan {
  return {
    resource_id: 'r',
    kind: 'droplet',
    name: of.resource_id ?? 'r',
    size: '',
    size_gb: '0',
    price_monthly: null,
    parent_id: null,
    parent_name: null,
    starts_at: at('2018-01-01T00:00:00Z'),
    ends_at: null,
    ...of,
  }
}

/** By default it is gone four weeks later. */
function backupOf(parent_id: string, taken_at: string, ends_at: Temporal.Instant | null = weeksLater(taken_at)) {
  const starts_at = at(taken_at)
  return span({ resource_id: `backup ${taken_at}`, kind: 'backup', parent_id, parent_name: 'd', starts_at, ends_at })
}

function weeksLater(time: string): Temporal.Instant {
  return at(time).add({ hours: 28 * 24 })
}

function at(time: string): Temporal.Instant {
  return Temporal.Instant.from(time)
}
