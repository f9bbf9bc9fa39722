import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromMinor, toMinor } from '../../kernel/money.ts'
import { decimal } from '../../kernel/decimal.ts'
import { creditableCents, creditedBefore, creditedMonths, creditTaxCents } from './given-back.ts'

const MAY = Temporal.PlainDate.from('2026-05-01')
const JUNE = Temporal.PlainDate.from('2026-06-01')
const INVOICE = { subtotal_cents: 6_422n, tax_cents: 642n, total_cents: 7_064n, currency: 'AUD' }
const UNCREDITED = { credited_cents: 0n, credited_tax_cents: 0n }

const total = (amounts: Iterable<bigint>): bigint => [...amounts].reduce((sum, amount) => sum + amount, 0n)

test('an adjustment leaves out what was credited before, and leaves goodwill alone while there is enough billed', () => {
  const given = (rated_cents: bigint, credited_cents: bigint) =>
    rated_cents - 10_000n + total(creditedBefore([rated_cents - 10_000n], { rated_cents, credited_cents }))
  assert.equal(given(0n, 10_000n), 0n)
  assert.equal(given(5_000n, 9_000n), -1_000n)
  assert.equal(given(5_000n, 1_000n), -5_000n)
  assert.equal(given(5_000n, 0n), -5_000n)
  assert.equal(given(12_000n, 9_000n), 2_000n)
})

test('what was credited before is left out of each deployment by what it gives back, to the cent', () => {
  assert.deepEqual(creditedBefore([-100n, 50n, -200n], { rated_cents: 0n, credited_cents: 100n }), [33n, 0n, 67n])
  assert.deepEqual(creditedBefore([], { rated_cents: 0n, credited_cents: 100n }), [])
})

test('a yearly price that is given back in a month is given back beside its credit notes', () => {
  assert.deepEqual(creditedBefore([-55_000n], { rated_cents: -50_000n, credited_cents: 0n }), [0n])
  assert.deepEqual(creditedBefore([-55_000n], { rated_cents: -50_000n, credited_cents: 2_000n }), [2_000n])
})

test('equal credits have equal tax, by the invoice’s ratio, rounded half up; the last one takes what rounding left', () => {
  const credits = (amounts: readonly bigint[]) => {
    const taxes: bigint[] = []
    for (const amount_cents of amounts) {
      const credited_cents = total(amounts.slice(0, taxes.length))
      const credited = { credited_cents, credited_tax_cents: total(taxes) }
      const left = [{ period_start: MAY, left_cents: 6_422n - credited_cents + total(taxes) }]
      taxes.push(creditTaxCents(INVOICE, amount_cents, creditableCents(INVOICE, credited, left)))
    }
    return taxes
  }
  // 16 × 642 ÷ 7,064 is 1.454…: two of them in a row were 1 and 2.
  assert.deepEqual(credits([16n, 16n, 16n]), [1n, 1n, 1n])
  assert.deepEqual(credits([1_100n, 5n, 6n]), [100n, 0n, 1n])
  assert.deepEqual(credits([3_532n, 3_532n]), [321n, 321n])
  assert.deepEqual(credits([2_354n, 2_355n, 2_355n]), [214n, 214n, 214n])
  assert.deepEqual(credits([2_349n, 2_349n, 2_366n]), [213n, 213n, 216n])
})

test('what an adjustment gave back of an invoice can no longer be credited, nor its tax', () => {
  const left = (left_cents: bigint) => creditableCents(INVOICE, UNCREDITED, [{ period_start: MAY, left_cents }])
  assert.deepEqual(left(6_422n), { net_cents: 6_422n, tax_cents: 642n })
  assert.deepEqual(left(3_211n), { net_cents: 3_211n, tax_cents: 321n })
  assert.deepEqual(left(0n), { net_cents: 0n, tax_cents: 0n })
})

test('a credit is of the months that its invoice bills, by what is left of each', () => {
  const months = [
    { period_start: MAY, left_cents: 5_000n },
    { period_start: JUNE, left_cents: 10_000n },
  ]
  assert.deepEqual(creditedMonths(7_501n, months), [
    { period_start: MAY, amount_cents: 2_500n },
    { period_start: JUNE, amount_cents: 5_001n },
  ])
})

type Step = { credit: number } | { rated: readonly [number, number] } | 'roll up'

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ credit: fc.integer({ min: 1, max: 100 }) }),
    fc.record({ rated: fc.tuple(fc.nat({ max: 20_000 }), fc.nat({ max: 20_000 })) }),
    fc.constant('roll up' as const),
  ),
  { maxLength: 14 },
)

test('whatever is credited and comes late, never more is given back than was billed, and the rest is what the month is worth', () => {
  fc.assert(
    fc.property(
      fc.tuple(fc.nat({ max: 20_000 }), fc.nat({ max: 20_000 })),
      fc.constantFrom('0', '0.1', '0.27'),
      steps,
      (first, rate, given) => {
        const lives = liveOf(first.map(BigInt), rate)
        for (const step of given) {
          lives.take(step)
          const { billed_cents, credited_cents, tax_cents, credited_tax_cents } = lives.sums()
          assert.ok(credited_cents <= billed_cents, 'never more is given back than was billed')
          assert.ok(credited_tax_cents <= tax_cents, 'nor more tax')
        }
        lives.take('roll up')
        const { billed_cents, credited_cents, rated_cents } = lives.sums()
        assert.equal(billed_cents, rated_cents > credited_cents ? rated_cents : credited_cents)
        assert.deepEqual(lives.rollUp(), [0n, 0n], 'a month that is unchanged is not adjusted again')
      },
    ),
  )
})

/** One month of two deployments after its invoice was issued. */
function liveOf(first: readonly bigint[], rate: string) {
  const subtotal_cents = total(first)
  const tax_cents = toMinor(fromMinor(subtotal_cents, 'AUD').times(decimal(rate)), 'AUD')
  const invoice = { subtotal_cents, tax_cents, total_cents: subtotal_cents + tax_cents, currency: 'AUD' }
  const credited = { credited_cents: 0n, credited_tax_cents: 0n }
  let rated = [...first]
  const billed = [...first]
  const creditedNet = () => credited.credited_cents - credited.credited_tax_cents
  const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)

  function rollUp(): bigint[] {
    const fell = rated.map((cents, index) => cents - (billed[index] ?? 0n))
    const before = creditedBefore(fell, { rated_cents: total(rated), credited_cents: creditedNet() })
    const adjusted = fell.map((cents, index) => cents + (before[index] ?? 0n))
    for (const [index, cents] of adjusted.entries()) billed[index] = (billed[index] ?? 0n) + cents
    return adjusted
  }

  return {
    rollUp,
    take(step: Step): void {
      if (step === 'roll up') void rollUp()
      else if ('rated' in step) rated = step.rated.map(BigInt)
      else {
        const left_cents = smaller(subtotal_cents, total(billed)) - creditedNet()
        const creditable = creditableCents(invoice, credited, [{ period_start: MAY, left_cents }])
        const amount_cents = ((creditable.net_cents + creditable.tax_cents) * BigInt(step.credit)) / 100n
        credited.credited_tax_cents += creditTaxCents(invoice, amount_cents, creditable)
        credited.credited_cents += amount_cents
      }
    },
    sums: () => ({
      rated_cents: total(rated),
      billed_cents: total(billed),
      credited_cents: creditedNet(),
      tax_cents,
      credited_tax_cents: credited.credited_tax_cents,
    }),
  }
}
