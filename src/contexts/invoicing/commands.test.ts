import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runAudit } from '../../platform/audit.ts'
import { type Company, testCompany } from './company.fixture.ts'
import { invoicingInvariants } from './invariants.ts'

let company: Company

before(async () => {
  company = await testCompany()
})
after(() => company.close())

/** A draft of 50.00 and 5.00 tax. */
async function draft(tenant_id: string): Promise<string> {
  await company.subscribe(await company.tenant(tenant_id))
  await company.rollup({ tenant_id })
  return (await company.invoice(tenant_id)).id
}

async function issue(tenant_id: string): Promise<string> {
  const id = await draft(tenant_id)
  await company.post(`/invoices/${id}/issue`)
  return id
}

async function send(path: string, body?: object) {
  const { status, body: answer } = await company.call('POST', path, body ? { body } : {})
  return { status, code: answer.code, data: answer.data }
}

const pay = (id: string, amount_cents: number, reference: string) =>
  send(`/invoices/${id}/payments`, { amount_cents, paid_at: '2026-05-03T00:00:00Z', reference })
const owedBy = async (tenant_id: string) => {
  const { status, owed_cents } = await company.invoice(tenant_id)
  return [status, owed_cents]
}
const credit = (id: string, amount_cents: number) =>
  send(`/invoices/${id}/credit-notes`, { amount_cents, reason: 'Goodwill' })

test('issuing numbers invoices without gaps, also when an issue is refused in between', async () => {
  const [one, two] = [await draft('first'), await draft('second')]
  const issued = await company.post(`/invoices/${one}/issue`)
  assert.deepEqual(
    [issued.number, issued.status, issued.issued_by],
    ['INV-2026-000001', 'issued', 'test-platform_admin'],
  )
  assert.equal(issued.issued_at, '2026-05-02T06:00:00Z')
  const again = await send(`/invoices/${one}/issue`)
  assert.deepEqual([again.status, again.code], [409, 'invoicing/already-issued'])
  assert.equal((await company.post(`/invoices/${two}/issue`)).number, 'INV-2026-000002')
})

test('the books are told of an issue, of a credit note and of a void invoice, but not of a void draft', async () => {
  const credited = await draft('told')
  company.told.length = 0
  await company.post(`/invoices/${credited}/issue`)
  assert.deepEqual(company.told, [{ tenant_id: 'told', invoice_id: credited }])
  await credit(credited, 100)
  assert.equal(company.told.length, 2)
  const voided = await issue('told-void')
  await company.post(`/invoices/${voided}/void`, {})
  assert.deepEqual(company.told.slice(2), [
    { tenant_id: 'told-void', invoice_id: voided },
    { tenant_id: 'told-void', invoice_id: voided },
  ])
  await company.post(`/invoices/${await draft('told-nothing')}/void`, {})
  assert.equal(company.told.length, 4)
})

test('an invoice of nothing is paid as soon as it is issued, and can still be made void', async () => {
  const id = await company.tenant('free')
  await company.ask('free', id, { charge: '0.001', occurred_at: '2026-04-10T00:00:00Z' })
  await company.rollup({ tenant_id: 'free' })
  const invoice = await company.invoice('free')
  assert.equal(invoice.total_cents, 0)
  const issued = await company.post(`/invoices/${invoice.id}/issue`)
  assert.deepEqual([issued.status, issued.paid_at], ['paid', '2026-05-02T06:00:00Z'])
  const voided = await company.post(`/invoices/${invoice.id}/void`, {})
  assert.deepEqual([voided.status, voided.paid_at], ['void', null])
})

test('a payment told again is the same, however fine its time', async () => {
  const id = await issue('nanoseconds')
  const body = { amount_cents: 100, paid_at: '2026-05-03T00:00:00.123456789Z', reference: 'a' }
  assert.equal((await send(`/invoices/${id}/payments`, body)).status, 201)
  assert.equal((await send(`/invoices/${id}/payments`, body)).status, 200)
})

test('the year of a number is that of the tenant’s zone', async () => {
  const id = await company.tenant('sydney', { timezone: 'Australia/Sydney' })
  await company.subscribe(id)
  company.clock.set('2027-12-31T14:00:00Z')
  await company.rollup({ tenant_id: 'sydney' })
  const { number } = await company.post(`/invoices/${(await company.invoice('sydney')).id}/issue`)
  assert.equal(number, 'INV-2028-000001')
  company.clock.set('2026-05-02T06:00:00Z')
})

test('an issued invoice is immutable: the database refuses a change whoever tries', async () => {
  const id = await issue('closed')
  const change = company.db.transaction((tx) =>
    tx.updateTable('invoicing.invoice').set({ subtotal_cents: 1n, total_cents: 501n }).where('id', '=', id).execute(),
  )
  await assert.rejects(change, { code: 'invoicing/issued-is-immutable' })
  const lines = company.db.transaction((tx) =>
    tx.deleteFrom('invoicing.invoice_line').where('invoice_id', '=', id).execute(),
  )
  await assert.rejects(lines, { code: 'invoicing/issued-is-immutable' })
})

test('making an invoice void frees its period, and is done once', async () => {
  const id = await issue('voided')
  const voided = await company.post(`/invoices/${id}/void`, { reason: 'Wrong address' })
  assert.deepEqual(
    [voided.status, voided.void_reason, voided.voided_by],
    ['void', 'Wrong address', 'test-platform_admin'],
  )
  assert.equal((await send(`/invoices/${id}/void`)).code, 'invoicing/void')
  assert.equal((await send(`/invoices/${id}/issue`)).code, 'invoicing/void')
  assert.equal((await company.rollup({ tenant_id: 'voided' })).created, 1)
  assert.notEqual((await company.invoice('voided')).id, id)
})

test('a draft can be made void without a body', async () => {
  assert.equal((await send(`/invoices/${await draft('dropped')}/void`)).data.status, 'void')
})

test('what was paid or credited cannot be made void', async () => {
  const paid = await issue('part-paid')
  await pay(paid, 100, 'a')
  assert.deepEqual([(await send(`/invoices/${paid}/void`)).code], ['invoicing/not-voidable'])
  const credited = await issue('part-credited')
  await credit(credited, 100)
  assert.equal((await send(`/invoices/${credited}/void`)).code, 'invoicing/not-voidable')
})

test('payments add up to paid; a reference counts once; nobody pays too much', async () => {
  const id = await issue('payer')
  const first = await pay(id, 5_000, 'bank-1')
  assert.deepEqual([first.status, first.data.amount_cents, first.data.currency], [201, 5_000, 'AUD'])
  const again = await pay(id, 5_000, 'bank-1')
  assert.deepEqual([again.status, again.data.id], [200, first.data.id])
  assert.deepEqual((await pay(id, 400, 'bank-1')).code, 'invoicing/payment-conflict')
  const over = await pay(id, 501, 'bank-2')
  assert.deepEqual([over.status, over.code], [422, 'invoicing/overpayment'])
  assert.equal((await company.invoice('payer')).status, 'issued')
  await pay(id, 500, 'bank-2')
  const invoice = await company.invoice('payer')
  assert.deepEqual([invoice.status, invoice.paid_at], ['paid', '2026-05-02T06:00:00Z'])
  assert.deepEqual([invoice.paid_cents, invoice.credited_cents, invoice.owed_cents], [5_500, 0, 0])
  assert.equal((await pay(id, 500, 'bank-2')).status, 200)
  assert.deepEqual([(await pay(id, 1, 'bank-3')).code], ['invoicing/not-payable'])
})

test('a payment is not of the future, save for a day that has begun in the east', async () => {
  const id = await issue('clairvoyant')
  const at = (paid_at: string) => send(`/invoices/${id}/payments`, { amount_cents: 1, paid_at, reference: paid_at })
  const { body } = await company.call('POST', `/invoices/${id}/payments`, {
    body: { amount_cents: 1, paid_at: '2036-05-01T00:00:00Z', reference: 'a' },
  })
  assert.deepEqual(body.errors, [
    {
      path: 'paid_at',
      message: 'must not be in the future: 2036-05-01T00:00:00Z is more than a day after 2026-05-02T06:00:00Z',
    },
  ])
  assert.equal((await at('2026-05-03T06:00:00.000001Z')).status, 422)
  assert.equal((await at('2026-05-03T06:00:00Z')).status, 201)
  assert.equal((await company.invoice('clairvoyant')).payments.length, 1)
})

test('a reversed payment opens the invoice again and stays, and its reference may come again', async () => {
  const id = await issue('bounced')
  const first = await pay(id, 5_500, 'bank-1')
  assert.equal((await company.invoice('bounced')).status, 'paid')
  const reversed = await send(`/payments/${first.data.id}/reverse`, { reason: 'The bank took it back' })
  assert.deepEqual([reversed.status, reversed.data.currency], [200, 'AUD'])
  const history = {
    reversed_at: '2026-05-02T06:00:00Z',
    reversed_by: 'test-platform_admin',
    reversal_reason: 'The bank took it back',
  }
  assert.deepEqual(reversed.data, { ...first.data, ...history })
  const open = await company.invoice('bounced')
  assert.deepEqual([open.status, open.paid_at, open.paid_cents, open.owed_cents], ['issued', null, 0, 5_500])
  const again = await send(`/payments/${first.data.id}/reverse`, { reason: 'Once more' })
  assert.deepEqual([again.status, again.code], [409, 'invoicing/payment-reversed'])
  const second = await pay(id, 5_500, 'bank-1')
  assert.equal(second.status, 201)
  const paid = await company.invoice('bounced')
  assert.deepEqual([paid.status, paid.paid_cents, paid.owed_cents], ['paid', 5_500, 0])
  assert.deepEqual(
    paid.payments.map((payment: { id: string; reversed_by: string | null }) => [payment.id, payment.reversed_by]),
    [
      [first.data.id, 'test-platform_admin'],
      [second.data.id, null],
    ],
  )
})

test('an invoice that credit has settled stays paid when a payment is reversed; a part payment leaves it open', async () => {
  const id = await issue('settled')
  const part = await pay(id, 1_000, 'a')
  await send(`/payments/${part.data.id}/reverse`, { reason: 'Typing error' })
  assert.deepEqual(await owedBy('settled'), ['issued', 5_500])
  const whole = await pay(id, 5_500, 'b')
  await credit(id, 5_500)
  await send(`/payments/${whole.data.id}/reverse`, { reason: 'Paid back' })
  assert.deepEqual(await owedBy('settled'), ['paid', 0])
  const back = await issue('never-paid')
  await send(`/payments/${(await pay(back, 5_500, 'a')).data.id}/reverse`, { reason: 'Wrong customer' })
  assert.equal((await send(`/invoices/${back}/void`)).data.status, 'void')
})

test('a reversal has a reason, is of a payment that exists, and is the operator’s', async () => {
  const { id } = (await pay(await issue('strict-payer'), 100, 'a')).data
  for (const body of [{}, { reason: '' }, { reason: 1 }, undefined])
    assert.equal((await send(`/payments/${id}/reverse`, body)).status, 422, JSON.stringify(body))
  const reason = { reason: 'x' }
  assert.equal((await send('/payments/00000000-0000-4000-8000-000000000000/reverse', reason)).status, 404)
  const as = { tenant: 'strict-payer' }
  assert.equal((await company.call('POST', `/payments/${id}/reverse`, { as, body: reason })).status, 403)
  for (const change of ['update invoicing.payment set amount_cents = 1', 'delete from invoicing.payment'])
    await assert.rejects(company.db.script(`${change} where id = '${id}'`), /is recorded and stays/)
})

test('nothing is owed on a void invoice', async () => {
  const id = await issue('not-owed')
  await company.post(`/invoices/${id}/void`, {})
  const invoice = await company.ok('GET', `/invoices/${id}`)
  assert.deepEqual([invoice.total_cents, invoice.paid_cents, invoice.owed_cents], [5_500, 0, 0])
})

test('a draft takes neither payments nor credit', async () => {
  const id = await draft('early')
  const paid = await pay(id, 100, 'a')
  assert.deepEqual([paid.status, paid.code], [409, 'invoicing/not-payable'])
  const credited = await credit(id, 100)
  assert.deepEqual([credited.status, credited.code], [409, 'invoicing/not-creditable'])
})

test('credit notes are numbered, carry their part of the tax, and stop at the total', async () => {
  const id = await issue('credited')
  const first = await credit(id, 100)
  assert.deepEqual([first.status, first.data.number.slice(0, 8), first.data.tax_cents], [201, 'CN-2026-', 9])
  const over = await credit(id, 5_401)
  assert.deepEqual([over.status, over.code], [422, 'invoicing/credit-too-large'])
  const rest = await credit(id, 5_400)
  assert.equal(rest.data.tax_cents, 491)
  const invoice = await company.invoice('credited')
  assert.deepEqual([invoice.status, invoice.credited_cents, invoice.credit_notes.length], ['paid', 5_500, 2])
})

test('a credit after a payment leaves less to pay, and a paid invoice can still be credited', async () => {
  const id = await issue('mixed')
  await credit(id, 500)
  assert.equal((await pay(id, 5_001, 'a')).code, 'invoicing/overpayment')
  await pay(id, 5_000, 'a')
  assert.equal((await company.invoice('mixed')).status, 'paid')
  assert.equal((await credit(id, 1_000)).status, 201)
  assert.equal((await company.invoice('mixed')).owed_cents, -1_000)
})

test('wrong bodies are named, unknown invoices are not found, and only the operator may change one', async () => {
  const id = await issue('strict')
  assert.equal(
    (await send(`/invoices/${id}/payments`, { amount_cents: '100', paid_at: '2026-05-03T00:00:00Z', reference: 'a' }))
      .status,
    422,
  )
  assert.equal(
    (await send(`/invoices/${id}/payments`, { amount_cents: 0, paid_at: '2026-05-03T00:00:00Z', reference: 'a' }))
      .status,
    422,
  )
  assert.equal(
    (await send(`/invoices/${id}/payments`, { amount_cents: 1, paid_at: 'today', reference: 'a' })).status,
    422,
  )
  assert.equal((await send(`/invoices/${id}/credit-notes`, { amount_cents: 1 })).status, 422)
  assert.equal((await send(`/invoices/${id}/void`, { why: 'so' })).status, 422)
  const unknown = '00000000-0000-4000-8000-000000000000'
  for (const verb of ['issue', 'void']) assert.equal((await send(`/invoices/${unknown}/${verb}`)).status, 404)
  assert.equal((await pay(unknown, 1, 'a')).status, 404)
  assert.equal((await credit(unknown, 1)).status, 404)
  for (const verb of ['issue', 'void', 'payments', 'credit-notes']) {
    const { status } = await company.call('POST', `/invoices/${id}/${verb}`, { as: { tenant: 'strict' }, body: {} })
    assert.equal(status, 403)
  }
})

test('an invoice keeps the places of its currency, and the audit finds one whose currency has others now', async () => {
  const id = await draft('places')
  assert.equal((await company.invoice('places')).minor_unit_places, 2)
  const broken = async () =>
    (await runAudit(company.db.read, invoicingInvariants)).filter(({ ok }) => !ok).map(({ name }) => name)
  // As it was posted when the locale data said that forints have no fraction.
  await company.db.script(`update invoicing.invoice set currency = 'HUF', minor_unit_places = 0 where id = '${id}'`)
  assert.deepEqual(await broken(), ['invoicing.lines-are-rounded-half-up', 'invoicing.minor-units-are-of-the-currency'])
  await company.db.script(`delete from invoicing.invoice where id = '${id}'`)
})

test('the lives of these invoices keep every invariant of the audit', async () => {
  const findings = await runAudit(company.db.read, invoicingInvariants)
  assert.deepEqual(
    findings.filter((finding) => !finding.ok),
    [],
  )
})
