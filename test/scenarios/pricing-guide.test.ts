import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { minorUnitPlaces } from '../../src/kernel/money.ts'
import { period } from '../../src/kernel/period.ts'
import { type DiscountTerms, type QuoteFacts, quote, type SegmentFacts } from '../../src/contexts/pricing/index.ts'

// docs/pricing.md: the facts of each example stand in a comment before its table.

type Dates = [string, string]
type Example = {
  currency?: string
  period?: Dates
  tax?: string
  segments?: ExampleSegment[]
  addons?: (object & { price_cents: number; active?: Dates })[]
  discounts?: ExampleDiscount[]
  llm?: { charge: string; event_count: number }
  adjustment_cents?: number
}
type ExampleSegment = {
  active?: Dates
  mode?: SegmentFacts['mode']
  plan: object & { base_price_cents?: number; commitment_cents?: number }
  usage?: SegmentFacts['usage']
  events?: SegmentFacts['events']
  year?: Dates
  is_left?: boolean
  /** Those of the month in which the year began. */
  year_discounts?: ExampleDiscount[]
}
type ExampleDiscount = { name: string; rate?: string; amount_cents?: number }
type Row = { line: string; calculation: string; amount: string }

const guide = readFileSync(new URL('../../docs/pricing.md', import.meta.url), 'utf8')
const examples = readExamples(guide)

for (const { title, example, rows } of examples) {
  test(`${title}: the engine comes to the lines of the guide, and the calculations to their amounts`, () => {
    const facts = factsOf(example)
    const { lines, total_cents } = quote(facts)
    const cents = (amount: string) => BigInt(amount.replace('−', '-').replace(/[,.]/g, ''))
    const [shown, totals] = [rows.filter(({ line }) => line !== 'total'), rows.filter(({ line }) => line === 'total')]
    assert.deepEqual(
      shown.map(({ line, amount }) => [line.split(/[ :]/, 1)[0], cents(amount)]),
      lines.map(({ kind, amount_cents }) => [kind, amount_cents]),
    )
    for (const { amount } of totals) assert.equal(cents(amount), total_cents)
    const digits = minorUnitPlaces(facts.currency)
    for (const { line, calculation, amount } of rows) {
      const off = Math.abs(calculate(calculation) - calculate(amount))
      // Half a minor unit is rounded away; the largest remainder may be as much as a whole one.
      assert.ok(
        off <= (line.startsWith('credit') ? 1 : 0.5) / 10 ** digits + 1e-9,
        `${line}: ${calculation} = ${amount}`,
      )
    }
  })
}

test('every example of the guide is read', () => {
  assert.equal(examples.length, guide.split('<!-- example').length - 1)
  assert.ok(examples.every(({ rows }) => rows.length > 0))
})

/** The facts in the comment, and the table that follows it. */
function readExamples(text: string): { title: string; example: Example; rows: Row[] }[] {
  return [...text.matchAll(/<!-- example\n(.*?)-->\n\n((?:\|[^\n]*\n)+)/gs)].map((match) => {
    const [, json = '', table = ''] = match
    const title = [...text.slice(0, match.index).matchAll(/^## (.*)$/gm)].at(-1)?.[1] ?? ''
    const rows = table
      .trim()
      .split('\n')
      .slice(2)
      .map((row) => row.split('|').map((cell) => cell.trim()))
      .map(([, line = '', calculation = '', amount = '']) => ({ line, calculation, amount }))
    return { title, example: JSON.parse(json) as Example, rows }
  })
}

function factsOf(example: Example): QuoteFacts {
  const { currency = 'USD', tax, segments = [], addons = [], discounts = [], llm, adjustment_cents } = example
  const month = period(...(example.period ?? ['2026-04-01', '2026-05-01']))
  const owner = { deployment_id: 'd', subscription_id: 's' }
  const service_period = month
  return {
    currency,
    period: month,
    tax: { treatment: tax === undefined ? 'export' : 'taxable', name: null, rate: tax ?? null },
    subscriptions: [
      {
        ...owner,
        segments: segments.map((segment) => segmentOf(segment, { currency, month })),
        addons: addons.map(({ active, ...addon }) => ({
          id: null,
          code: 'addon',
          name: 'Add-on',
          quantity: '1',
          unit: null,
          grants_meter: null,
          ...addon,
          price_cents: BigInt(addon.price_cents),
          active: active === undefined ? month : daysOf(active),
        })),
        discounts: discounts.map(discountOf),
      },
    ],
    llm: llm === undefined ? [] : [{ ...owner, ...llm, service_period }],
    adjustments:
      adjustment_cents === undefined
        ? []
        : [{ ...owner, description: 'late', amount_cents: BigInt(adjustment_cents), service_period, details: {} }],
  }
}

/** Which may be none. */
function daysOf([start, end]: Dates): QuoteFacts['period'] {
  return { start: Temporal.PlainDate.from(start), end: Temporal.PlainDate.from(end) }
}

function discountOf({ name, rate, amount_cents }: ExampleDiscount): DiscountTerms {
  const amount = amount_cents === undefined ? null : BigInt(amount_cents)
  return { id: null, name, rate: rate ?? null, amount_cents: amount, line_kinds: null }
}

function segmentOf(
  given: ExampleSegment,
  { currency, month }: { currency: string; month: QuoteFacts['period'] },
): SegmentFacts {
  const { active, mode = 'normal', plan, usage = {}, events, year } = given
  const { is_left = false, year_discounts = [] } = given
  const { base_price_cents = 0, commitment_cents } = plan
  const monthly = { code: 'plan', version: 1, name: null, interval: 'month', proration: 'daily', charges: [] } as const
  return {
    active: active === undefined ? month : daysOf(active),
    mode,
    plan: {
      ...monthly,
      ...plan,
      currency,
      base_price_cents: BigInt(base_price_cents),
      commitment_cents: commitment_cents === undefined ? null : BigInt(commitment_cents),
    },
    usage,
    ...(events && { events }),
    year: year === undefined ? null : { period: period(...year), is_left, discounts: year_discounts.map(discountOf) },
  }
}

/** What a calculation of the guide comes to, as people would do it on paper: + − × ÷, brackets, min, max, ceil. */
function calculate(text: string): number {
  const tokens = text.replaceAll(/(?<=\d),(?=\d{3})/g, '').match(/[\d.]+|[a-z]+|[−+×÷(),]/g) ?? []
  let at = 0
  const take = (...wanted: string[]): string | undefined =>
    wanted.includes(tokens[at] ?? '') ? tokens[at++] : undefined
  const result = sum()
  assert.equal(at, tokens.length, `cannot be read: ${text}`)
  return result

  function sum(): number {
    let value = product()
    for (let sign = take('+', '−'); sign !== undefined; sign = take('+', '−')) {
      value += sign === '+' ? product() : -product()
    }
    return value
  }

  function product(): number {
    let value = factor()
    for (let sign = take('×', '÷'); sign !== undefined; sign = take('×', '÷')) {
      value = sign === '×' ? value * factor() : value / factor()
    }
    return value
  }

  function factor(): number {
    if (take('−') !== undefined) return -factor()
    const name = take('min', 'max', 'ceil') as 'min' | 'max' | 'ceil' | undefined
    if (take('(') === undefined) return Number(tokens[at++])
    const values = [sum()]
    while (take(',') !== undefined) values.push(sum())
    assert.equal(take(')'), ')', `a bracket is open: ${text}`)
    if (name === 'ceil') return Math.ceil(values[0] ?? 0)
    return name === undefined ? (values[0] ?? 0) : Math[name](...values)
  }
}
