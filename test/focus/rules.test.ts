import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'csv-parse/sync'
import { enterBooks, sendLlmUsage } from '../../demo/books.ts'
import { createClient } from '../../src/cli/client.ts'
import { PERIOD, TENANTS } from '../../demo/company.ts'
import { DEMO_NOW } from '../../demo/digitalocean/index.ts'
import type { Application } from '../../src/app.ts'
import { decimal, plain, sum } from '../../src/kernel/decimal.ts'
import { mintToken } from '../../src/platform/auth.ts'
import { type Books, openBooks } from '../scenarios/books.ts'
import { memoryDatabase } from '../support/database.ts'
import {
  type Cell,
  type Check,
  checked,
  type Dataset,
  evaluate,
  type Finding,
  type Model,
  type Verdict,
} from './rules.ts'

/**
 * Holds what is exported against the published requirements of FOCUS 1.2. Their document is no part of this project:
 * without it these tests are skipped and say so.
 */
const DOCUMENT = fileURLToPath(new URL('../../../shared/data/focus/focus-requirements-model-1.2.json', import.meta.url))
const skip = existsSync(DOCUMENT) ? false : 'the requirements model of FOCUS 1.2 is not beside this project'
const model = (): Model => JSON.parse(readFileSync(DOCUMENT, 'utf8'))

/** What the operator's view can say: not what is bought ahead, reserved or listed at prices that no bill tells. */
const SUPPORTED = new Set([
  'BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED',
  'MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED',
  'MULTIPLE_PRICING_CATEGORIES_SUPPORTED',
  'MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED',
  'REGION_SUPPORTED',
  'RESOURCE_TYPE_ASSIGNMENT_SUPPORTED',
  'SUB_ACCOUNT_SUPPORTED',
  'TAGGING_SUPPORTED',
  'UNIT_PRICING_SUPPORTED',
  'USAGE_MEASUREMENT_SUPPORTED',
])

/** A rule that can no longer be evaluated would pass unseen. */
const OPERATOR_COUNTS = { passed: 184, permission: 16, 'not applicable': 258, 'cannot be evaluated': 163 }

describe("the demo's month, exported", { skip }, () => {
  let month: Books
  before(async () => void (month = await demoMonth()))
  after(() => month.close())

  test("no rule of FOCUS 1.2 is broken by the operator's cost", async (t) => {
    const { text } = await month.call('GET', `/exports/focus?period=${PERIOD}`)
    const findings = evaluate(model(), datasetOf(text), SUPPORTED)
    report(t, findings)
    assert.deepEqual(countsOf(findings), OPERATOR_COUNTS)
    t.diagnostic(`cannot be evaluated: ${idsOf(findings, 'cannot be evaluated').join(' ')}`)
  })

  test('no rule of FOCUS 1.2 is broken by what a tenant was invoiced', async (t) => {
    for (const { id } of TENANTS) {
      const { status, text } = await month.call('GET', `/exports/focus?period=${PERIOD}&tenant_id=${id}`)
      assert.equal(status, 200)
      report(t, evaluate(model(), datasetOf(text), new Set([...SUPPORTED, 'ACCOUNT_NAMING_SUPPORTED'])))
    }
  })

  test('the costs of every invoice in the file add up to it', async () => {
    const { rows } = datasetOf((await month.call('GET', `/exports/focus?period=${PERIOD}`)).text)
    const { body } = await month.call('GET', `/billing/provider-invoices?period=${PERIOD}`)
    const bills = body.data.map((bill: { invoice_number: string; amount: string }) => [
      bill.invoice_number,
      bill.amount,
    ])
    assert.deepEqual(totals(rows), Object.fromEntries(bills))
    for (const { id } of TENANTS) {
      const file = datasetOf((await month.call('GET', `/exports/focus?period=${PERIOD}&tenant_id=${id}`)).text)
      const { body } = await month.call('GET', `/invoices?period=${PERIOD}&tenant_id=${id}`)
      const invoices = body.data.map((invoice: { number: string; total_cents: number }) => [
        invoice.number,
        plain(decimal(BigInt(invoice.total_cents)).div(decimal('100'))),
      ])
      assert.deepEqual(totals(file.rows), Object.fromEntries(invoices))
    }
  })

  test('a row that breaks a rule is found', async () => {
    const dataset = datasetOf((await month.call('GET', `/exports/focus?period=${PERIOD}`)).text)
    for (const [id, change] of PLANTED) {
      const rows = dataset.rows.map((row, index) => (index === 0 ? { ...row, ...change } : row))
      assert.equal(evaluate(model(), { ...dataset, rows }, SUPPORTED).get(id)?.verdict, 'failed', id)
    }
    const columns = dataset.columns.filter((column) => column !== 'BilledCost')
    assert.equal(evaluate(model(), { ...dataset, columns }, SUPPORTED).get('CostAndUsage-D-006-M')?.verdict, 'failed')
  })

  test('every check function of the model is known', () => {
    const named = JSON.stringify(model())
      .matchAll(/"CheckFunction": ?"(\w+)"/g)
      .map(([, name = '']) => name)
    const known = new Set([...CHECKS.map(([check]) => check.CheckFunction), 'CheckModelRule', 'ColumnPresent'])
    assert.deepEqual(
      [...new Set(named)].filter((name) => !known.has(name)),
      [],
    )
  })
})

/** A change of the first row of the demo's bill, a droplet, and the rule that it breaks. */
const PLANTED: readonly (readonly [rule: string, change: Record<string, Cell>])[] = [
  ['BilledCost-C-003-M', { BilledCost: null }],
  ['BilledCost-C-004-M', { BilledCost: '$4' }],
  ['BilledCost-C-005-C', { InvoiceIssuerName: 'A reseller' }],
  ['BillingCurrency-C-006-M', { BillingCurrency: 'CREDITS' }],
  ['ChargeCategory-C-003-M', { ChargeCategory: 'Gift' }],
  ['ChargeClass-C-005-C', { ChargeClass: 'Mistake' }],
  ['ChargePeriodStart-C-002-M', { ChargePeriodStart: '2026-04-01 00:00:00' }],
  ['CostAndUsage-D-000-M', { ChargeCategory: 'Gift' }],
  ['PricingQuantity-C-004-C', { ChargeCategory: 'Tax' }],
  ['PricingUnit-C-003-O', { PricingUnit: 'per hour' }],
  ['ResourceType-C-005-C', { ResourceType: null }],
  ['ServiceName-C-005-C', { ServiceCategory: 'Analytics', ServiceSubcategory: 'Search' }],
  ['ServiceSubcategory-C-004-M', { ServiceSubcategory: 'Search' }],
  ['Tags-C-001-M', { Tags: '{"a":{"b":1}}' }],
]

/** Each check function with a row that keeps it and rows that do not. */
const CHECKS: readonly (readonly [check: Check, kept: Record<string, Cell>, ...broken: Record<string, Cell>[]])[] = [
  [{ CheckFunction: 'CheckValue', ColumnName: 'A', Value: 'x' }, { A: 'x' }, { A: 'y' }, { A: null }],
  [{ CheckFunction: 'CheckValue', ColumnName: 'A', Value: 0 }, { A: '0.00' }, { A: '1' }],
  [{ CheckFunction: 'CheckNotValue', ColumnName: 'A', Value: null }, { A: 'x' }, { A: null }],
  [
    { CheckFunction: 'CheckSameValue', ColumnAName: 'A', ColumnBName: 'B' },
    { A: 'x', B: 'x' },
    { A: 'x', B: null },
  ],
  [
    { CheckFunction: 'CheckNotSameValue', ColumnAName: 'A', ColumnBName: 'B' },
    { A: 'x', B: 'y' },
    { A: 'x', B: 'x' },
  ],
  [{ CheckFunction: 'CheckGreaterOrEqualThanValue', ColumnName: 'A', Value: 0 }, { A: '0' }, { A: '-0.1' }, { A: 'x' }],
  [
    { CheckFunction: 'ColumnByColumnEqualsColumnValue', ColumnAName: 'A', ColumnBName: 'B', ResultColumnName: 'C' },
    { A: '0.1', B: '3', C: '0.3' },
    { A: '0.1', B: '3', C: '0.30000000000000004' },
  ],
  [
    { CheckFunction: 'AND', Items: [isX('A'), isX('B')] },
    { A: 'x', B: 'x' },
    { A: 'x', B: 'y' },
  ],
  [
    { CheckFunction: 'OR', Items: [isX('A'), isX('B')] },
    { A: 'y', B: 'x' },
    { A: 'y', B: 'y' },
  ],
  [format('CheckDecimalValue'), { A: '-1.5e-3' }, { A: '1,5' }],
  [format('CheckNationalCurrency'), { A: 'AUD' }, { A: 'aud' }, { A: 'TOKENS' }],
  [format('TypeDecimal'), { A: '12' }, { A: 'twelve' }],
  [format('TypeString'), { A: 'x' }, { A: 5 }],
  [format('TypeDateTime'), { A: '2026-04-01T00:00:00Z' }, { A: '2026-02-30T00:00:00Z' }],
  [format('FormatDateTime'), { A: '2026-04-01T00:00:00Z' }, { A: '2026-04-01T00:00:00.000Z' }, { A: '2026-04-01' }],
  [format('FormatNumeric'), { A: '1.5E-3' }, { A: '+1' }, { A: '1/2' }, { A: '1e+3' }, { A: '$1' }],
  [format('FormatString'), { A: 'x' }, { A: ' ' }, { A: '\ud800' }],
  [format('FormatUnit'), { A: 'GB-Hours' }, { A: 'per hour' }, { A: '1.5 Hours' }, { A: 'hours' }],
  [format('FormatCurrency'), { A: 'USD' }, { A: 'US$' }],
  [format('FormatKeyValue'), { A: '{"a":"b: c","d":null}' }, { A: '{"a":[]}' }, { A: '{"a":1,"a":2}' }, { A: 'a=b' }],
  [
    { CheckFunction: 'CheckDistinctCount', ColumnAName: 'A', ColumnBName: 'B', ExpectedCount: 1 },
    { A: 'x', B: 'y' },
  ],
]

function isX(column: string): Check {
  return { CheckFunction: 'CheckValue', ColumnName: column, Value: 'x' }
}

function format(name: string): Check {
  return { CheckFunction: name, ColumnName: 'A' }
}

for (const [check, kept, ...broken] of CHECKS) {
  test(`${check.CheckFunction} passes what keeps it and finds what does not`, () => {
    assert.equal(verdictOn(check, kept), 'passed')
    for (const row of broken) assert.equal(verdictOn(check, kept, row), 'failed', JSON.stringify(row))
  })
}

test('a distinct count finds a value that has two', () => {
  const check: Check = { CheckFunction: 'CheckDistinctCount', ColumnAName: 'A', ColumnBName: 'B', ExpectedCount: 1 }
  assert.equal(verdictOn(check, { A: 'x', B: 'y' }, { A: 'x', B: 'z' }), 'failed')
  assert.equal(verdictOn(check, { A: null, B: 'y' }), 'not applicable')
})

test('what nobody knows how to check is never passed', () => {
  assert.equal(verdictOn({ CheckFunction: 'CheckMood', ColumnName: 'A' }, { A: 'x' }), 'cannot be evaluated')
  const findings = evaluate({ ModelRules: SMALL_MODEL }, { columns: ['A'], rows: [{ A: 'x' }] }, new Set())
  assert.deepEqual(Object.fromEntries([...findings].map(([id, { verdict }]) => [id, verdict])), {
    whole: 'cannot be evaluated',
    checked: 'passed',
    unspecified: 'cannot be evaluated',
    null: 'cannot be evaluated',
    'not null': 'cannot be evaluated',
    other: 'not applicable',
    unsupported: 'not applicable',
    allowed: 'permission',
  })
})

const SMALL_MODEL: Model['ModelRules'] = {
  whole: rule({ CheckFunction: 'AND', Items: ['checked', 'unspecified', 'null', 'not null'].map(part) }),
  checked: rule(isX('A')),
  unspecified: rule({}),
  null: rule({ CheckFunction: 'CheckValue', ColumnName: 'A', Value: null }),
  'not null': rule({ CheckFunction: 'CheckNotValue', ColumnName: 'A', Value: null }),
  other: rule(isX('B'), { Condition: isX('B') }),
  unsupported: { ...rule(isX('A')), ApplicabilityCriteria: ['NOT_HERE'] },
  allowed: rule(isX('A'), { Keyword: 'MAY' }),
}

function part(ModelRuleId: string): Check {
  return { CheckFunction: 'CheckModelRule', ModelRuleId }
}

function rule(
  Requirement: Model['ModelRules'][string]['ValidationCriteria']['Requirement'],
  rest: Partial<Model['ModelRules'][string]['ValidationCriteria']> = {},
): Model['ModelRules'][string] {
  const ValidationCriteria = { MustSatisfy: 'a rule', Keyword: 'MUST', Requirement, Condition: {}, ...rest }
  return { Type: 'Static', ApplicabilityCriteria: [], ValidationCriteria }
}

function verdictOn(check: Check, ...rows: Record<string, Cell>[]): Verdict {
  return checked(check, { columns: ['A', 'B', 'C'], rows }).verdict
}

/** Fails when a rule is broken; else says how many rules said what. */
function report(t: TestContext, findings: ReadonlyMap<string, Finding>): void {
  const broken = idsOf(findings, 'failed').map((id) => `${id}: ${findings.get(id)?.why}`)
  assert.deepEqual(broken, [])
  const counts = Object.entries(countsOf(findings)).map(([verdict, count]) => `${count} ${verdict}`)
  t.diagnostic(`${findings.size} rules: ${counts.join(', ')}`)
  assert.equal(findings.size, Object.keys(model().ModelRules).length)
}

const VERDICTS: readonly Verdict[] = ['passed', 'permission', 'not applicable', 'cannot be evaluated']

function countsOf(findings: ReadonlyMap<string, Finding>): Record<string, number> {
  return Object.fromEntries(VERDICTS.map((verdict) => [verdict, idsOf(findings, verdict).length]))
}

function idsOf(findings: ReadonlyMap<string, Finding>, verdict: Verdict): string[] {
  return [...findings].flatMap(([id, finding]) => (finding.verdict === verdict ? [id] : []))
}

function datasetOf(csv: string): Dataset {
  const [columns = [], ...cells] = parse(csv)
  const rows = cells.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index] || null])))
  return { columns, rows }
}

function totals(rows: Dataset['rows']): Record<string, string> {
  const byInvoice = Map.groupBy(rows, (row) => String(row['InvoiceId']))
  return Object.fromEntries(
    [...byInvoice].map(([id, rows]) => [id, plain(sum(rows.map((row) => decimal(String(row['BilledCost'])))))]),
  )
}

/** The month of the demo: bills read and matched, usage received, invoices issued. */
async function demoMonth(): Promise<Books> {
  const books = await openBooks(await memoryDatabase(), DEMO_NOW.toString())
  try {
    await enterMonth(books)
    return books
  } catch (error) {
    await books.close()
    throw error
  }
}

async function enterMonth({ app, ok, sync }: Books): Promise<void> {
  const http = await app.http()
  const url = await http.listen({ port: 0, host: '127.0.0.1' })
  const clientOf = async (role: string) => createClient({ url, token: await tokenOf(app, role) })
  const operator = await clientOf('platform_admin')
  await enterBooks(operator)
  await sync()
  await sendLlmUsage(operator, await clientOf('gateway'))
  await ok('POST', '/invoices/rollup', { period: PERIOD })
  for (const { id } of await ok<{ id: string }[]>('GET', `/invoices?period=${PERIOD}`)) {
    await ok('POST', `/invoices/${id}/issue`, {})
  }
}

function tokenOf({ jwt_secret, edge }: Application, role: string): Promise<string> {
  const ttl = Temporal.Duration.from({ hours: 1 })
  return mintToken({ sub: 'test', role, tenant_id: null }, { secret: jwt_secret, now: edge.clock.now(), ttl })
}
