import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inflateSync } from 'node:zlib'
import { SELLER } from './company.fixture.ts'
import { renderInvoice, titleOf } from './document.ts'
import type { Invoice, InvoiceLine } from './invoice.ts'

const MADE_AT = Temporal.Instant.from('2026-05-01T22:00:00Z')

const INVOICE: Invoice = {
  tenant_id: 'boab',
  id: '00000000-0000-4000-8000-000000000001',
  number: 'INV-2026-000001',
  period_start: Temporal.PlainDate.from('2026-04-01'),
  period_end: Temporal.PlainDate.from('2026-05-01'),
  status: 'issued',
  currency: 'AUD',
  minor_unit_places: 2,
  subtotal_cents: 123_456n,
  tax_cents: 12_346n,
  total_cents: 135_802n,
  seller: SELLER,
  buyer: {
    tenant_id: 'boab',
    legal_name: 'Boab Pty Ltd',
    email: null,
    address: '2 Example St, Broome',
    country: 'AU',
    tax_id: '83 914 571 673',
  },
  tax: { treatment: 'taxable', name: 'GST', rate: '0.10' },
  engine_version: '1',
  inputs_hash: 'hash',
  created_at: MADE_AT,
  facts_seen: null,
  issued_at: MADE_AT,
  issued_by: 'operator',
  paid_at: null,
  voided_at: null,
  voided_by: null,
  void_reason: null,
}

const LINE: InvoiceLine = {
  tenant_id: 'boab',
  invoice_id: INVOICE.id,
  position: 0,
  id: '00000000-0000-4000-8000-000000000002',
  kind: 'plan_base',
  deployment_id: null,
  subscription_id: null,
  meter: null,
  description: 'studio v1 base price',
  quantity: '1',
  unit_price: '1234.56',
  amount_precise: '1234.56',
  amount_cents: 123_456n,
  service_start: INVOICE.period_start,
  service_end: INVOICE.period_end,
  taxable: true,
  details: {},
}

test('the document names both parties, its day in the buyer’s zone, every line, the tax and the total', async () => {
  const tax: InvoiceLine = { ...LINE, position: 1, kind: 'tax', description: 'GST 10 %', amount_cents: 12_346n }
  const pages = await textOf([LINE, tax])
  for (const words of [
    'Tax invoice',
    'INV-2026-000001',
    '2026-05-02',
    '2026-04-01 to 2026-04-30',
    'Arcadia Pty Ltd',
    'ABN 51 824 753 556',
    'Boab Pty Ltd',
    'ABN 83 914 571 673',
    'studio v1 base price',
    '1,234.56',
    'GST 10 %',
    '123.46',
    'Total AUD',
    '1,358.02',
  ]) {
    assert.ok(pages.join('\n').includes(words), words)
  }
})

test('a long invoice goes on over pages, and each has the heads of the columns', async () => {
  const lines = Array.from({ length: 100 }, (_, position) => ({ ...LINE, position, description: `line ${position}` }))
  const pages = await textOf(lines)
  assert.ok(pages.length > 2)
  for (const page of pages.slice(0, -1)) assert.ok(page.includes('Description'))
  for (const line of lines) assert.equal(pages.filter((page) => page.split('\n').includes(line.description)).length, 1)
})

test('only a taxed supply to an Australian buyer is a tax invoice', () => {
  assert.equal(titleOf(INVOICE), 'Tax invoice')
  assert.equal(titleOf({ ...INVOICE, tax: { treatment: 'export', name: null, rate: null } }), 'Invoice')
  assert.equal(titleOf({ ...INVOICE, buyer: { ...INVOICE.buyer, country: 'NZ' } }), 'Invoice')
  assert.equal(titleOf({ ...INVOICE, status: 'draft' }), 'Tax invoice (draft)')
  assert.equal(titleOf({ ...INVOICE, status: 'void' }), 'Tax invoice (void)')
})

test('of an invoice that is void nothing is owed, and of one that is issued the total', async () => {
  const owed = async (invoice: Partial<Invoice>) => {
    const words = (await textOf([LINE], invoice)).join('\n').split('\n')
    return words[words.indexOf('Owed') + 1]
  }
  assert.equal(await owed({}), '1,358.02')
  assert.equal(await owed({ status: 'void' }), '0.00')
})

/** The words of each page, a line each. The library writes text as hexadecimal in compressed streams. */
async function textOf(lines: InvoiceLine[], changes: Partial<Invoice> = {}): Promise<string[]> {
  const pdf = await renderInvoice({
    invoice: { ...INVOICE, ...changes },
    timezone: 'Australia/Perth',
    lines,
    payments: [],
    credit_notes: [],
  })
  const streams = pdf.toString('latin1').matchAll(/stream\n([\s\S]*?)\nendstream/g)
  const pages = [...streams].map((match) => inflateSync(Buffer.from(match[1] ?? '', 'latin1')).toString('latin1'))
  return pages.map((page) =>
    [...page.matchAll(/\[([^\]]*)\] TJ/g)]
      .map((shown) => [...(shown[1] ?? '').matchAll(/<([0-9a-f]*)>/g)].map((part) => Buffer.from(part[1] ?? '', 'hex')))
      .map((parts) => Buffer.concat(parts).toString('latin1'))
      .join('\n'),
  )
}
