import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toJson } from '../../platform/db.ts'
import { type Bill, type BillLine, billPayload, readDocument } from './document.ts'

const BILL: Bill = {
  provider: 'digitalocean',
  is_withdrawn: false,
  issuer_name: null,
  provider_name: null,
  external_id: 'bill-1',
  invoice_number: '514200001',
  currency: 'USD',
  amount: '86.92',
  period_start: Temporal.PlainDate.from('2026-04-01'),
  period_end: Temporal.PlainDate.from('2026-05-01'),
}

function line(amount: string, charge_category = 'Usage'): BillLine {
  return { description: 'web-1', kind: 'droplet', charge_category, amount, tenant_id: null, deployment_id: null }
}

test('tax is the sum of the tax lines, gross the amount of the bill, net the rest', () => {
  const payload = billPayload(BILL, [line('80.02'), line('-1.00', 'Credit'), line('5.00', 'Tax'), line('2.90', 'Tax')])
  assert.deepEqual(
    [payload.amount_net_minor, payload.amount_tax_minor, payload.amount_gross_minor],
    [7902n, 790n, 8692n],
  )
  assert.deepEqual(
    payload.lines.map(({ amount_minor, tax }) => [amount_minor, tax]),
    [
      [8002n, false],
      [-100n, false],
      [500n, true],
      [290n, true],
    ],
  )
  assert.deepEqual(payload.vendor, { name: 'DigitalOcean', category: 'cloud' })
  assert.equal(payload.issued_on.toString(), '2026-05-01')
})

test('lines finer than a cent are rounded together, so that they add up without a line for the rest', () => {
  const { lines, ...amounts } = billPayload({ ...BILL, amount: '0.03' }, [
    line('0.006'),
    line('0.006'),
    line('0.006'),
    line('0.012', 'Tax'),
  ])
  assert.deepEqual([amounts.amount_net_minor, amounts.amount_tax_minor, amounts.amount_gross_minor], [2n, 1n, 3n])
  assert.deepEqual(
    lines.map(({ description, amount_minor, tax }) => [description, amount_minor, tax]),
    [
      ['web-1', 0n, false],
      ['web-1', 1n, false],
      ['web-1', 1n, false],
      ['web-1', 1n, true],
    ],
  )
})

test('a bill in another currency is rounded to the minor unit of that currency', () => {
  const amountsIn = (currency: string) =>
    billPayload({ ...BILL, currency, amount: '1234.5678' }, [line('1122.334'), line('112.2338', 'Tax')]).lines.map(
      ({ amount_minor }) => amount_minor,
    )
  assert.deepEqual(amountsIn('JPY'), [1_123n, 112n])
  assert.deepEqual(amountsIn('BHD'), [1_122_334n, 112_234n])
  const forints = billPayload({ ...BILL, currency: 'HUF', amount: '1234.56' }, [line('1234.56')])
  assert.deepEqual([forints.amount_gross_minor, forints.lines[0]?.amount_minor], [123_456n, 123_456n])
})

test('what the lines miss is rounding up to half a minor unit per line, and is not explained beyond', () => {
  const remainder = (amount: string, ...amounts: string[]) => {
    const last = billPayload(
      { ...BILL, amount },
      amounts.map((size) => line(size)),
    ).lines.at(-1)
    return [last?.description, last?.amount_minor]
  }
  assert.deepEqual(remainder('86.92', '40.00'), ['Not explained by lines', 4692n])
  assert.deepEqual(remainder('20.01', '10.00', '10.00'), ['Rounding', 1n])
  assert.deepEqual(remainder('20.02', '10.00', '10.00'), ['Not explained by lines', 2n])
  assert.deepEqual(remainder('0.05', '0.006', '0.006'), ['Not explained by lines', 4n])
})

test('a bill without a printed number goes under its id', () => {
  assert.equal(billPayload({ ...BILL, invoice_number: null }, [line('86.92')]).invoice_number, 'bill-1')
})

test('a vendor goes under the name that its bill tells, an unknown one without a name under its word', () => {
  const vendorOf = (provider: string, provider_name: string | null) =>
    billPayload({ ...BILL, provider, provider_name }, [line('86.92')]).vendor.name
  assert.deepEqual(
    [vendorOf('other-cloud', 'Other Cloud'), vendorOf('other-cloud', null), vendorOf('digitalocean', null)],
    ['Other Cloud', 'other-cloud', 'DigitalOcean'],
  )
})

const amount = fc.bigInt({ min: -1_000_000_000_000n, max: 1_000_000_000_000n }).map((units) => {
  const digits = (units < 0n ? -units : units).toString().padStart(6, '0')
  return `${units < 0n ? '-' : ''}${digits.slice(0, -5)}.${digits.slice(-5)}`
})

test('whatever the lines, the document adds up', () => {
  const lines = fc.array(fc.tuple(amount, fc.constantFrom('Usage', 'Tax', 'Credit')), { maxLength: 30 })
  fc.assert(
    fc.property(amount, lines, fc.constantFrom('USD', 'JPY', 'BHD'), (total, rows, currency) => {
      const payload = billPayload(
        { ...BILL, currency, amount: total },
        rows.map(([size, category]) => line(size, category)),
      )
      const sum = (of: typeof payload.lines) => of.reduce((acc, { amount_minor }) => acc + amount_minor, 0n)
      assert.equal(payload.amount_net_minor + payload.amount_tax_minor, payload.amount_gross_minor)
      assert.equal(sum(payload.lines), payload.amount_gross_minor)
      assert.equal(sum(payload.lines.filter(({ tax }) => tax)), payload.amount_tax_minor)
    }),
  )
})

test('a stored document is read back as it was, amounts beyond the safe integers too', () => {
  const payload = billPayload({ ...BILL, amount: '90071992547409.93' }, [line('90071992547409.93')])
  const stored = JSON.parse(toJson(payload))
  assert.deepEqual(readDocument('provider_invoice', stored), { document: 'provider_invoice', payload })
  assert.equal(payload.amount_gross_minor, 9007199254740993n)
})
