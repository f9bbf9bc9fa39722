import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { array, assert as check, asyncProperty, bigInt, constantFrom, integer, record } from 'fast-check'
import { sql } from 'kysely'
import { memoryDatabase } from '../../../test/support/database.ts'
import { decimal, fromUnits, plain, sum, toUnits } from '../../kernel/decimal.ts'
import { minorUnitPlaces, splitByLargestRemainder } from '../../kernel/money.ts'
import { jsonb } from '../../platform/db.ts'
import { splitAmounts } from './line-shares.ts'

const db = await memoryDatabase()
after(() => db.close())

type Line = { readonly amount: string; readonly currency: string; readonly weights: readonly string[] }

/** The amounts of the shares of each line, in the order of its weights. */
async function split(lines: readonly Line[]): Promise<string[][]> {
  const given = lines.flatMap(({ weights, ...line }, index) =>
    weights.map((weight, place) => ({ ...line, cost_line_id: index, place, deployment_id: place, weight })),
  )
  const parts = sql`
    select *, null as tenant_id from jsonb_to_recordset(${jsonb(given)})
      as p (cost_line_id integer, amount numeric, currency text, place integer, deployment_id integer, weight numeric)`
  const currencies = [...new Set(lines.map(({ currency }) => currency))]
  const { rows } = await sql<{ cost_line_id: number; amount: string }>`
    select cost_line_id, amount from (${splitAmounts(parts, currencies)}) s order by cost_line_id, deployment_id`.execute(
    db.read,
  )
  return lines.map((_line, index) =>
    rows.filter(({ cost_line_id }) => cost_line_id === index).map(({ amount }) => amount),
  )
}

test('a cent that cannot be split goes to the largest remainder', async () => {
  const lines = [
    { amount: '10.00', currency: 'USD', weights: ['1', '1', '1'] },
    { amount: '-10', currency: 'USD', weights: ['1', '1', '1'] },
    { amount: '5.00', currency: 'USD', weights: ['0.75', '0.25'] },
    { amount: '1', currency: 'JPY', weights: ['1', '1.5'] },
    { amount: '0', currency: 'USD', weights: ['1', '2'] },
  ]
  assert.deepEqual(await split(lines), [
    ['3.34', '3.33', '3.33'],
    ['-3.34', '-3.33', '-3.33'],
    ['3.75', '1.25'],
    ['0', '1'],
    ['0', '0'],
  ])
})

test('an amount finer than a cent is split in its own last digit', async () => {
  const [parts] = await split([{ amount: '0.0005', currency: 'USD', weights: ['1', '1'] }])
  assert.deepEqual(parts, ['0.0003', '0.0002'])
})

test('whatever the weights, the shares are those of the kernel and add up to the line exactly', async () => {
  const weight = record({
    units: bigInt({ min: 1n, max: 10n ** 20n }),
    places: integer({ min: 0, max: 20 }),
  }).map(({ units, places }) => plain(fromUnits(units, places)))
  const line = record({
    amount: record({
      units: bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
      places: integer({ min: 0, max: 15 }),
    }).map(({ units, places }) => plain(fromUnits(units, places))),
    currency: constantFrom('USD', 'JPY', 'BHD'),
    weights: array(weight, { minLength: 1, maxLength: 8 }),
  })
  await check(
    asyncProperty(array(line, { minLength: 1, maxLength: 50 }), async (lines) => {
      const splits = await split(lines)
      assert.deepEqual(splits, lines.map(splitByKernel))
      assert.deepEqual(
        splits.map((parts) => plain(sum(parts.map((part) => decimal(part))))),
        lines.map(({ amount }) => amount),
      )
    }),
    { numRuns: 30 },
  )
})

function splitByKernel({ amount, currency, weights }: Line): string[] {
  const places = Math.max(amount.split('.')[1]?.length ?? 0, minorUnitPlaces(currency))
  const units = splitByLargestRemainder(
    toUnits(decimal(amount), places),
    weights.map((weight) => decimal(weight)),
  )
  return units.map((part) => plain(fromUnits(part, places)))
}
