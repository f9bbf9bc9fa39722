import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { decimal, plain, sum } from '../../kernel/decimal.ts'
import type { BillRow } from '../bill-reader.ts'
import { createFocusReader, isFocusHeader } from './index.ts'
import { readNumber, readTime } from './values.ts'

const REQUIRED: Record<string, string> = {
  BilledCost: '1.5',
  BillingCurrency: 'USD',
  BillingPeriodStart: '2026-04-01T00:00:00Z',
  ChargeCategory: 'Usage',
  ChargePeriodStart: '2026-04-01T00:00:00Z',
  ChargePeriodEnd: '2026-05-01T00:00:00Z',
  ProviderName: 'Example Cloud',
}
const WHOLE: Record<string, string> = {
  ...REQUIRED,
  BillingPeriodEnd: '2026-05-01T00:00:00Z',
  ChargeDescription: 'Instance',
  InvoiceId: 'EXC-1',
  PricingQuantity: '720',
  PricingUnit: 'Hours',
  RegionId: 'ap-2',
  ResourceId: 'i-1',
  ResourceName: 'web-1',
  ResourceType: 'Virtual Machine',
  ServiceCategory: 'Compute',
  ServiceName: 'Cloud Instances',
  SubAccountName: 'shop',
  Tags: '{"env":"prod"}',
  x_CostCentre: 'C-100',
}

test('a FOCUS file is known by its header, and a bill of another format is not taken for one', () => {
  assert.equal(isFocusHeader(['ChargePeriodStart', 'x_any', 'BILLEDCOST']), true)
  assert.equal(isFocusHeader(['product', 'description', 'hours', 'start', 'end', 'USD']), false)
  assert.equal(isFocusHeader(['BilledCost', 'product', 'description']), false)
})

test('a FOCUS file that misses a column is told by the names of FOCUS', () => {
  for (const missing of ['BilledCost', 'ChargePeriodStart']) {
    const header = Object.keys(REQUIRED).filter((name) => name !== missing)
    assert.equal(isFocusHeader(header), true)
    const refused = createFocusReader(header)
    assert.ok('faults' in refused)
    assert.deepEqual(refused.faults, [{ row: 1, column: missing, message: 'expected this column in the header' }])
  }
})

test('the word for a provider is one that a rule can name, and two names never share one', () => {
  const wordOf = (name: string) => rowOf({ ...WHOLE, ProviderName: name }).bill?.provider ?? ''
  for (const name of ['Example Cloud', 'example  cloud', 'EXAMPLE-CLOUD.']) assert.equal(wordOf(name), 'example-cloud')
  const names = ['Ünï Cö', 'Uni Co', 'Øst & Co.', 'St & Co.', '云 Cloud 9', 'Cloud 9', '云', '雲', 'Облако', 'Яндекс']
  const long = ['a', 'b'].map((last) => `${'long '.repeat(20)}${last}`)
  const words = [...names, ...long].map(wordOf)
  assert.equal(new Set(words).size, words.length, words.join(', '))
  for (const word of words) assert.match(word, /^[a-z0-9][a-z0-9-]{0,63}$/)
  assert.match(wordOf('Ünï Cö'), /^uni-co-[0-9a-f]{12}$/)
  assert.match(wordOf('云'), /^provider-[0-9a-f]{12}$/)
  assert.equal(wordOf('ÜNÏ  CÖ'), wordOf('Ünï Cö'))
})

test('from 1.3 on the provider has another name, and who invoices is told beside it', () => {
  const { ProviderName: _former, ...rest } = WHOLE
  const { bill, line } = rowOf({
    ...rest,
    ServiceProviderName: 'Example Cloud',
    HostProviderName: 'A Host',
    InvoiceIssuerName: 'A Reseller Pty Ltd',
  })
  assert.deepEqual([bill?.provider, bill?.issuer_name], ['example-cloud', 'A Reseller Pty Ltd'])
  assert.deepEqual(
    ['ProviderName', 'HostProviderName', 'InvoiceIssuerName'].map((name) => line.extra?.[name]),
    ['Example Cloud', 'A Host', 'A Reseller Pty Ltd'],
  )
})

test('a billing month is the calendar month of the provider, however its edges are written', () => {
  const monthOf = (BillingPeriodStart: string, BillingPeriodEnd: string) => {
    const { bill } = rowOf({ ...WHOLE, BillingPeriodStart, BillingPeriodEnd })
    return `${bill?.billing_period.start}/${bill?.billing_period.end}`
  }
  for (const [start, end] of [
    ['2025-01-01T00:00:00Z', '2025-02-01T00:00:00Z'],
    ['2025-01-01T00:00:00+11:00', '2025-02-01T00:00:00+11:00'],
    ['2025-01-01 00:00:00 -0800', '2025-01-31 23:59:59 -0800'],
    ['2024-12-31T13:00:00Z', '2025-01-31T13:00:00Z'],
    ['2024-12-31T13:00:00Z', '2025-01-31T12:59:59Z'],
    ['2025-01-01T08:00:00Z', '2025-02-01T08:00:00Z'],
    ['2025-01-01', '2025-01-31'],
    ['2025-01-01T00:00:00Z', '2025-01-31T00:00:00Z'],
    ['2025-01-01', '2025-02-01'],
    ['2025-01-01T00:00:00Z', '2025-01-31T23:59:59.999Z'],
    ['2025-01-01T00:00:00+14:00', ''],
    ['2024-12-31T13:00:00Z', ''],
  ] as const) {
    assert.equal(monthOf(start, end), '2025-01-01/2025-02-01', `${start} ${end}`)
  }
  assert.equal(monthOf('2024-02-01', '2024-02-29'), '2024-02-01/2024-03-01')
  assert.equal(monthOf('2025-01-15', '2025-02-15'), '2025-01-15/2025-02-15')
})

test('a row becomes a line of the bill that it names', () => {
  const { bill, line } = rowOf(WHOLE)
  assert.equal(bill?.provider, 'example-cloud')
  assert.equal(`${bill?.billing_period.start}/${bill?.billing_period.end}`, '2026-04-01/2026-05-01')
  assert.deepEqual([bill?.invoice_number, bill?.currency, bill?.billing_account], ['EXC-1', 'USD', null])
  const { start, end, extra, ...rest } = line
  assert.equal(`${start}/${end}`, '2026-04-01T00:00:00Z/2026-05-01T00:00:00Z')
  assert.deepEqual(rest, {
    kind: 'virtual_machine',
    charge_category: 'Usage',
    service_category: 'Compute',
    service_name: 'Cloud Instances',
    product: 'Cloud Instances',
    group_description: null,
    description: 'Instance',
    amount: '1.5',
    quantity: '720',
    unit: 'Hours',
    project: 'shop',
    external_resource_id: 'i-1',
    external_resource_uuid: null,
    resource_name: 'web-1',
    region: 'ap-2',
  })
  assert.deepEqual(extra, {
    ProviderName: 'Example Cloud',
    ResourceType: 'Virtual Machine',
    ServiceCategory: 'Compute',
    Tags: '{"env":"prod"}',
    x_CostCentre: 'C-100',
  })
})

test('whatever the order and the case of the columns, a row says the same', () => {
  const expected = rowOf(WHOLE)
  const columns = fc.shuffledSubarray(Object.entries(WHOLE), { minLength: Object.keys(WHOLE).length })
  fc.assert(
    fc.property(columns, fc.boolean(), (entries, upper) => {
      const spelled = entries.map(([name, cell]) => [
        upper && !name.startsWith('x_') && name !== 'Tags' ? name.toUpperCase() : name,
        cell,
      ])
      assert.deepEqual(rowOf(Object.fromEntries(spelled)), expected)
    }),
  )
})

test('the names of earlier versions are understood', () => {
  const { ChargeCategory, ProviderName, ...rest } = REQUIRED
  const former = {
    ...rest,
    ChargeType: ChargeCategory ?? '',
    Provider: ProviderName ?? '',
    Region: 'ap-2',
    UsageQuantity: '3',
    UsageUnit: 'GB',
  }
  const { bill, line } = rowOf(former)
  assert.deepEqual(
    [bill?.provider, line.charge_category, line.region, line.quantity, line.unit],
    ['example-cloud', 'Usage', 'ap-2', '3', 'GB'],
  )
})

test('two accounts have two bills', () => {
  const { bill, line } = rowOf({ ...WHOLE, BillingAccountId: 'acc-1' })
  assert.deepEqual([bill?.billing_account, line.extra?.['BillingAccountId']], ['acc-1', 'acc-1'])
})

test('nothing is nothing, whether the cell is empty or says so in any of the usual words', () => {
  for (const nothing of ['', 'NULL', 'null', 'None', 'nan', 'NaN', 'N/A', 'n/a', '\\N']) {
    const { bill, line } = rowOf({
      ...WHOLE,
      InvoiceId: nothing,
      ResourceName: nothing,
      Tags: nothing,
      PricingQuantity: nothing,
    })
    assert.deepEqual(
      [bill?.invoice_number, line.resource_name, line.quantity, line.unit, line.extra?.['Tags']],
      [null, null, null, null, undefined],
    )
  }
})

test('a line is of the kind of its resource, else of its service; tax and credit are kinds of their own', () => {
  const kindOf = (cells: Record<string, string>) => rowOf({ ...WHOLE, ...cells }).line.kind
  assert.equal(kindOf({ ResourceType: 'DatabaseCluster' }), 'database_cluster')
  assert.equal(kindOf({ ResourceType: '', ServiceSubcategory: 'Virtual Machines' }), 'virtual_machines')
  assert.equal(kindOf({ ResourceType: '' }), 'cloud_instances')
  assert.equal(kindOf({ ChargeCategory: 'Tax' }), 'tax')
  assert.equal(kindOf({ ChargeCategory: 'credit' }), 'credit')
})

test('a service of no known category is unclassified and kept', () => {
  const { line } = rowOf({ ...WHOLE, ServiceCategory: 'Telepathy' })
  assert.deepEqual([line.kind, line.service_category, line.service_name], ['unclassified', 'Other', 'Cloud Instances'])
  assert.equal(line.extra?.['ServiceCategory'], 'Telepathy')
})

test('times are read in every spelling that exports use, and are in UTC where they name no zone', () => {
  const spellings = [
    '2024-09-01T00:00:00Z',
    '2024-09-01T00:00:00.000Z',
    '2024-09-01 00:00:00',
    '2024-09-01 00:00',
    '2024-09-01',
    '2024-09-01 00:00:00 UTC',
    '2024-09-01T00:00:00+00:00',
    '2024-09-01T10:00:00+1000',
    '2024-08-31T22:00:00-02',
  ]
  for (const text of spellings) assert.equal(readTime(text)?.toString(), '2024-09-01T00:00:00Z', text)
  for (const text of ['', '2024-02-30', '01/09/2024', '2024-09-01T25:00:00Z', 'soon'])
    assert.equal(readTime(text), undefined, text)
})

test('numbers are read exactly, with an exponent too', () => {
  const cases: [string, string | undefined][] = [
    ['12.50', '12.5'],
    ['-0.00', '0'],
    ['.5', '0.5'],
    ['1e-05', '0.00001'],
    ['-4.2E+3', '-4200'],
    ['123.456e2', '12345.6'],
    ['123.456e-4', '0.0123456'],
    ['0e0', '0'],
    ['1e-30', '0'],
    ['1e15', undefined],
    ['1e99', undefined],
    ['1,000', undefined],
    ['$1', undefined],
    ['', undefined],
    ['.', undefined],
    ['NaN', undefined],
    ['1/3', undefined],
  ]
  for (const [text, value] of cases) assert.equal(readNumber(text), value, text)
})

test('a number with an exponent is the same number as without', () => {
  const digits = fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n })
  fc.assert(
    fc.property(digits, fc.integer({ min: 0, max: 20 }), (units, places) => {
      const expected = places === 0 ? decimal(units) : decimal(units).div(decimal(10n ** BigInt(places)))
      assert.equal(readNumber(`${units}e-${places}`), plain(expected))
    }),
  )
})

test('tags are an object, the inside of one or a list of keys and values, and are kept as an object', () => {
  const tagsOf = (Tags: string) => rowOf({ ...WHOLE, Tags }).line.extra?.['Tags']
  assert.equal(tagsOf('{"env":"prod"}'), '{"env":"prod"}')
  assert.equal(tagsOf('[{"key":"env","value":"prod"},{"Key":"owner","Value":"shop"}]'), '{"env":"prod","owner":"shop"}')
  assert.equal(tagsOf('"env": "prod","owner": "shop"'), '{"env": "prod","owner": "shop"}')
  assert.equal(tagsOf('[{"key":"untidy"}]'), '{"untidy":null}')
  for (const other of ['env=prod', '["env"]', '{"env":']) assert.equal(tagsOf(other), other)
})

test('a bare list of costs is a bill, where provider, currency, month and category are said of the whole file', () => {
  const defaults = {
    provider: 'example-cloud',
    currency: 'AUD',
    service_category: 'Compute',
    period: { start: Temporal.PlainDate.from('2026-04-01'), end: Temporal.PlainDate.from('2026-05-01') },
  } as const
  const reader = createFocusReader(['BilledCost', 'ResourceName', 'ServiceName'], defaults)
  assert.ok('read' in reader, JSON.stringify(reader))
  const { bill, line } = billRow(reader.read(['1.5', 'web-1', 'Instances'], 2))
  assert.deepEqual([bill?.provider, bill?.currency, bill?.billing_period], ['example-cloud', 'AUD', defaults.period])
  assert.deepEqual(
    [line.charge_category, line.service_category, line.kind, line.amount, line.start, line.end],
    ['Usage', 'Compute', 'instances', '1.5', null, null],
  )
  const { currency: _missing, ...others } = defaults
  const refused = createFocusReader(['BilledCost', 'ResourceName', 'ServiceName'], others)
  assert.ok('faults' in refused)
  assert.deepEqual(refused.faults, [
    {
      row: 1,
      column: 'BillingCurrency',
      message: 'expected this column in the header, or currency=USD for the whole file',
    },
  ])
  const bare = createFocusReader(['BilledCost', 'ResourceName', 'ServiceName'])
  assert.ok('faults' in bare)
  assert.deepEqual(
    bare.faults.map(({ column, message }) => [column, message.replace('expected this column in the header', '')]),
    [
      ['BillingCurrency', ', or currency=USD for the whole file'],
      ['BillingPeriodStart', ', or period=2026-04 for the whole file'],
      ['ChargeCategory', ', or provider=example-cloud for the whole file'],
      ['ChargePeriodEnd', ', or provider=example-cloud for the whole file'],
      ['ChargePeriodStart', ', or provider=example-cloud for the whole file'],
      ['ProviderName', ', or provider=example-cloud for the whole file'],
    ],
  )
})

test('what a row says itself goes before what is said of the whole file', () => {
  const reader = createFocusReader(Object.keys(WHOLE), {
    provider: 'another',
    currency: 'AUD',
    service_category: 'Web',
  })
  assert.ok('read' in reader)
  const { bill, line } = billRow(reader.read(Object.values(WHOLE), 2))
  assert.deepEqual([bill?.provider, bill?.currency, line.service_category], ['example-cloud', 'USD', 'Compute'])
})

test('quantities have more digits than money', () => {
  const quantityOf = (PricingQuantity: string) => rowOf({ ...WHOLE, PricingQuantity }).line.quantity
  assert.equal(quantityOf('1234567890123456'), '1234567890123456')
  assert.equal(quantityOf('0.1234567890123456'), '0.1234567890123456')
  assert.equal(quantityOf('1.234567890123456e15'), '1234567890123456')
})

test('a fault says what was found; a day that does not exist is named as such', () => {
  const messagesOf = (cells: Record<string, string>) => {
    const read = readerOf({ ...WHOLE, ...cells }).read(Object.values({ ...WHOLE, ...cells }), 7)
    assert.ok('faults' in read)
    return read.faults.map(({ message }) => message)
  }
  assert.deepEqual(messagesOf({ ChargePeriodEnd: '2026-09-31' }), [
    'expected a time such as 2026-04-01T00:00:00Z, in the years 1900 to 2999, found "2026-09-31": there is no such day',
  ])
  assert.deepEqual(messagesOf({ BilledCost: '1,5' }), ['expected a number such as 12.5 or 1e-05, found "1,5"'])
  assert.deepEqual(messagesOf({ BilledCost: 'N/A' }), ['expected a number such as 12.5 or 1e-05, found nothing'])
})

test('a fault names a column as the file does', () => {
  const { ProviderName: _former, ...rest } = WHOLE
  const cells = { ...rest, ServiceProviderName: '' }
  const read = readerOf(cells).read(Object.values(cells), 2)
  assert.ok('faults' in read)
  assert.deepEqual(
    read.faults.map(({ column }) => column),
    ['ServiceProviderName'],
  )
})

test('a fault names the row, the column and what was expected', () => {
  const faultsOf = (cells: Record<string, string>) => {
    const read = readerOf({ ...WHOLE, ...cells }).read(Object.values({ ...WHOLE, ...cells }), 7)
    assert.ok('faults' in read)
    return read.faults.map(({ row, column }) => `${row} ${column}`)
  }
  assert.deepEqual(faultsOf({ BilledCost: 'twelve', ChargeCategory: 'Gift' }), ['7 BilledCost', '7 ChargeCategory'])
  assert.deepEqual(faultsOf({ BilledCost: 'NULL' }), ['7 BilledCost'])
  assert.deepEqual(faultsOf({ BillingCurrency: 'XX9', ProviderName: '…' }), ['7 ProviderName', '7 BillingCurrency'])
  assert.deepEqual(faultsOf({ ChargePeriodEnd: '2026-03-01' }), ['7 ChargePeriodEnd'])
  assert.deepEqual(faultsOf({ BillingPeriodEnd: '2026-03-01' }), ['7 BillingPeriodEnd'])
})

test('a header that misses a column, or has it twice, is refused by name', () => {
  const missing = createFocusReader(['BilledCost', 'ChargePeriodStart', 'ChargePeriodStart'])
  assert.ok('faults' in missing)
  assert.deepEqual(missing.faults.map(({ row, column }) => `${row} ${column}`).toSorted(), [
    '1 BillingCurrency',
    '1 BillingPeriodStart',
    '1 ChargeCategory',
    '1 ChargePeriodEnd',
    '1 ChargePeriodStart',
    '1 ProviderName',
  ])
})

test('a file of several months and currencies is several bills, whose lines add up', () => {
  assert.deepEqual(billsOf('example-cloud-1.0.csv'), {
    'example-cloud 2026-03-01 null USD': '15.840000000000333',
    'example-cloud 2026-03-01 null JPY': '980',
  })
  assert.deepEqual(billsOf('example-cloud-1.2.csv'), { 'example-cloud 2026-04-01 EXC-2026-0417 USD': '100.435513' })
})

function billsOf(file: string): Record<string, string> {
  const text = readFileSync(new URL(`fixtures/${file}`, import.meta.url), 'utf8')
  const [header = [], ...rows] = parse(text, { bom: true, trim: true })
  const reader = createFocusReader(header)
  assert.ok('read' in reader)
  const read = rows.map((cells, index) => billRow(reader.read(cells, index + 2)))
  const byBill = Map.groupBy(read, ({ bill }) =>
    [bill?.provider, bill?.billing_period.start, bill?.invoice_number, bill?.currency].map(String).join(' '),
  )
  return Object.fromEntries(
    [...byBill].map(([bill, rows]) => [bill, plain(sum(rows.map(({ line }) => decimal(line.amount))))]),
  )
}

function rowOf(cells: Record<string, string>): BillRow {
  return billRow(readerOf(cells).read(Object.values(cells), 2))
}

function readerOf(cells: Record<string, string>) {
  const reader = createFocusReader(Object.keys(cells))
  assert.ok('read' in reader)
  return reader
}

function billRow(read: BillRow | { faults: readonly unknown[] }): BillRow {
  assert.ok('line' in read, JSON.stringify(read))
  return read
}
