import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Company, testCompany } from './company.fixture.ts'

let company: Company
let boab: { deployment_id: string; draft_id: string }
let mulga: { deployment_id: string; issued_id: string }

before(async () => {
  company = await testCompany()
  const [boab_app, mulga_app] = [await company.tenant('boab'), await company.tenant('mulga')]
  for (const id of [boab_app, mulga_app]) await company.subscribe(id)
  await company.rollup()
  const draft_id = (await company.invoice('boab')).id
  const issued_id = (await company.invoice('mulga')).id
  await company.post(`/invoices/${issued_id}/issue`)
  boab = { deployment_id: boab_app, draft_id }
  mulga = { deployment_id: mulga_app, issued_id }
})
after(() => company.close())

const BOAB = { as: { tenant: 'boab' } }
const MULGA = { as: { tenant: 'mulga' } }

test('the operator lists every invoice, by period, status and tenant', async () => {
  assert.deepEqual((await ids('')).toSorted(), [boab.draft_id, mulga.issued_id].toSorted())
  assert.deepEqual(await ids('?status=draft'), [boab.draft_id])
  assert.deepEqual(await ids('?tenant_id=mulga&period=2026-04-17'), [mulga.issued_id])
  assert.deepEqual(await ids('?period=2026-05'), [])
})

test('a list is read page by page, each invoice once', async () => {
  const first = (await company.call('GET', '/invoices?limit=1')).body
  const second = (await company.call('GET', `/invoices?limit=1&cursor=${first.next_cursor}`)).body
  assert.notEqual(first.data[0].id, second.data[0].id)
  assert.equal(second.next_cursor, null)
})

test('a tenant sees its own invoices from their issue on, and 404 for the rest', async () => {
  assert.deepEqual(await company.ok('GET', '/invoices', BOAB), [])
  assert.deepEqual(await company.ok('GET', '/invoices?tenant_id=mulga', BOAB), [])
  assert.equal((await company.ok('GET', '/invoices', MULGA)).length, 1)
  const whole = await company.ok('GET', `/invoices/${mulga.issued_id}`, MULGA)
  const [line] = whole.lines
  for (const [path, caller] of [
    [`/invoices/${boab.draft_id}`, BOAB],
    [`/invoices/${boab.draft_id}.pdf`, BOAB],
    [`/invoices/${mulga.issued_id}`, BOAB],
    [`/invoices/${mulga.issued_id}.pdf`, BOAB],
    [`/invoices/${mulga.issued_id}/lines/${line.id}/explanation`, BOAB],
    [`/deployments/${mulga.deployment_id}/projection`, BOAB],
    ['/invoices/not-an-id', MULGA],
    [`/invoices/${mulga.issued_id}/lines/${mulga.issued_id}/explanation`, MULGA],
  ] as const) {
    assert.equal((await company.call('GET', path, caller)).status, 404, path)
  }
})

test('a machine that sends usage reads no invoice', async () => {
  assert.equal((await company.call('GET', '/invoices', { as: 'meter' })).status, 403)
  assert.equal((await company.call('GET', '/invoices', { as: 'nobody' })).status, 401)
})

test('a query that is not understood is refused', async () => {
  for (const query of ['period=04-2026', 'status=open', 'limit=0', 'cursor=x', 'who=me']) {
    assert.equal((await company.call('GET', `/invoices?${query}`)).status, 422, query)
  }
})

test('each line explains itself from what is stored on it', async () => {
  const { lines } = await company.ok('GET', `/invoices/${mulga.issued_id}`)
  const explained = await company.ok('GET', `/invoices/${mulga.issued_id}/lines/${lines[0].id}/explanation`, MULGA)
  assert.equal(explained.formula, '50.00 × 30 of 30 days = 50.00')
  assert.deepEqual([explained.amount_cents, explained.currency, explained.facts.plan_code], [5_000, 'AUD', 'studio'])
})

test('the document is a PDF named by its number', async () => {
  const answer = await company.call('GET', `/invoices/${mulga.issued_id}.pdf`, MULGA)
  assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'application/pdf'])
  assert.equal(answer.headers['content-disposition'], 'inline; filename="INV-2026-000001.pdf"')
  assert.ok(answer.text.startsWith('%PDF-'))
})

test('an invoice is found by its number too, wherever its id is taken; for another tenant there is none', async () => {
  const number = 'INV-2026-000001'
  assert.equal((await company.ok('GET', `/invoices/${number}`, MULGA)).id, mulga.issued_id)
  assert.equal((await company.call('GET', `/invoices/${number}.pdf`, MULGA)).status, 200)
  assert.equal((await company.call('POST', `/invoices/${number}/issue`)).body.code, 'invoicing/already-issued')
  for (const [name, as] of [
    [number, BOAB],
    ['INV-2026-999999', {}],
  ] as const) {
    const { status, body } = await company.call('GET', `/invoices/${name}`, as)
    assert.deepEqual([status, body.code, body.detail], [404, 'request/not-found', `No such invoice: ${name}.`])
  }
})

test('the projection is the running month so far, and to its end with the usage so far', async () => {
  company.clock.set('2026-05-10T12:00:00Z')
  await company.use(boab.deployment_id, '30', '2026-05-03T00:00:00Z')
  await company.droplets('boab', boab.deployment_id, { count: 10, from: '2026-05-01T00:00:00Z' })
  const projection = await company.ok('GET', `/deployments/${boab.deployment_id}/projection`, BOAB)
  assert.deepEqual(projection.period, { start: '2026-05-01', end: '2026-06-01' })
  assert.equal(projection.as_of, '2026-05-10T12:00:00Z')
  // 10 of 31 days have begun. 10 droplets have lived 9.5 days: 2,280 hours, of which 480 and 1,488 are included.
  assert.deepEqual(amounts(projection.so_far), [
    ['plan_base', 1_613],
    ['overage', 1_800],
    ['usage', 300],
    ['tax', 371],
  ])
  assert.deepEqual(amounts(projection.to_end_of_period), [
    ['plan_base', 5_000],
    ['overage', 792],
    ['usage', 300],
    ['tax', 609],
  ])
})

async function ids(query: string): Promise<string[]> {
  return (await company.ok('GET', `/invoices${query}`)).map((invoice: { id: string }) => invoice.id)
}

function amounts(quote: { lines: { kind: string; amount_cents: number }[] }) {
  return quote.lines.map((line) => [line.kind, line.amount_cents])
}
