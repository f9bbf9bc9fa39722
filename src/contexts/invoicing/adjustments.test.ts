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

/** Invoices April on the second of May and issues it; then it is June, and what comes now for April is late. */
async function billApril(tenant_id: string): Promise<{ deployment_id: string; april_id: string; number: string }> {
  company.clock.set('2026-05-02T06:00:00Z')
  const deployment_id = await company.tenant(tenant_id)
  await company.subscribe(deployment_id)
  await company.rollup({ tenant_id })
  const { id } = await company.invoice(tenant_id)
  const { number } = await company.post(`/invoices/${id}/issue`)
  company.clock.set('2026-06-02T06:00:00Z')
  return { deployment_id, april_id: id, number }
}

async function adjustments(tenant_id: string, period: string) {
  const { lines } = await company.invoice(tenant_id, period)
  return lines
    .filter((line: { kind: string }) => line.kind === 'adjustment')
    .map((line: Line) => [line.service_period.start, line.amount_cents])
}

type Line = { amount_cents: number; service_period: { start: string } }

test('late usage and late LLM usage of an issued month come on the next invoice, with their own service period', async () => {
  const { deployment_id, april_id, number } = await billApril('late')
  await company.use(deployment_id, '12', '2026-04-20T00:00:00Z')
  await company.ask('late', deployment_id, { charge: '0.30', occurred_at: '2026-04-21T00:00:00Z' })
  await company.rollup({ tenant_id: 'late', period: '2026-05' })
  const may = await company.invoice('late', '2026-05')
  const line = may.lines.find((each: { kind: string }) => each.kind === 'adjustment')
  assert.equal(line.amount_cents, 150)
  assert.equal(line.deployment_id, deployment_id)
  assert.equal(line.description, `Adjustment of 2026-04 (${number})`)
  assert.deepEqual(line.service_period, { start: '2026-04-01', end: '2026-05-01' })
  assert.deepEqual(line.details, {
    invoice_id: april_id,
    invoice_number: number,
    rated_cents: 5150,
    billed_cents: 5000,
    currency: 'AUD',
  })
  assert.deepEqual([may.subtotal_cents, may.tax_cents], [5_150, 515])
  const { formula } = await company.ok('GET', `/invoices/${may.id}/lines/${line.id}/explanation`)
  assert.equal(formula, '51.50 rated now − 50.00 billed already = 1.50')
  assert.equal((await company.invoice('late')).subtotal_cents, 5_000)
})

test('nothing is billed twice: not by a rebuild, not by the month after', async () => {
  const { deployment_id } = await billApril('once')
  await company.use(deployment_id, '5', '2026-04-20T00:00:00Z')
  await company.rollup({ tenant_id: 'once', period: '2026-05' })
  await company.rollup({ tenant_id: 'once', period: '2026-05', force: true })
  assert.deepEqual(await adjustments('once', '2026-05'), [['2026-04-01', 50]])
  await company.post(`/invoices/${(await company.invoice('once', '2026-05')).id}/issue`)
  company.clock.set('2026-07-02T06:00:00Z')
  await company.use(deployment_id, '2', '2026-04-22T00:00:00Z')
  await company.rollup({ tenant_id: 'once', period: '2026-06' })
  assert.deepEqual(await adjustments('once', '2026-06'), [['2026-04-01', 20]])
})

test('late usage that is in a draft still counts when the draft is made void', async () => {
  const { deployment_id } = await billApril('again')
  await company.use(deployment_id, '5', '2026-04-20T00:00:00Z')
  await company.rollup({ tenant_id: 'again', period: '2026-05' })
  await company.post(`/invoices/${(await company.invoice('again', '2026-05')).id}/void`, {})
  await company.rollup({ tenant_id: 'again', period: '2026-05' })
  assert.deepEqual(await adjustments('again', '2026-05'), [['2026-04-01', 50]])
})

test('an adjusted month that is made void and invoiced anew takes off at once what is billed elsewhere, whatever its age', async () => {
  const { deployment_id, april_id } = await billApril('back')
  await company.use(deployment_id, '50', '2026-04-20T00:00:00Z')
  await company.rollup({ tenant_id: 'back', period: '2026-05' })
  const may = await company.post(`/invoices/${(await company.invoice('back', '2026-05')).id}/issue`)
  company.clock.set('2027-08-02T06:00:00Z')
  await company.post(`/invoices/${april_id}/void`, { reason: 'wrong address' })
  await company.rollup({ tenant_id: 'back' })
  const april = await company.invoice('back')
  assert.deepEqual(
    april.lines.map((line: { kind: string; description: string; amount_cents: number }) => [
      line.description,
      line.amount_cents,
    ]),
    [
      ['studio v1 base price', 5_000],
      ['api_calls usage', 500],
      [`Billed with 2026-05 already (${may.number})`, -500],
      ['GST 10 %', 500],
    ],
  )
  await company.post(`/invoices/${april.id}/issue`)
  await company.rollup({ tenant_id: 'back', period: '2026-06' })
  assert.deepEqual(await adjustments('back', '2026-06'), [])
  // With the other one void, what it billed for April is the next invoice's again.
  await company.post(`/invoices/${may.id}/void`, {})
  await company.rollup({ tenant_id: 'back', period: '2026-05' })
  assert.deepEqual(await adjustments('back', '2026-05'), [['2026-04-01', 500]])
})

test('a draft that adjusts an invoice which is void now is made anew before it is issued', async () => {
  const { deployment_id, april_id } = await billApril('stale')
  await company.use(deployment_id, '50', '2026-04-20T00:00:00Z')
  await company.rollup({ tenant_id: 'stale', period: '2026-05' })
  await company.post(`/invoices/${april_id}/void`, {})
  await company.rollup({ tenant_id: 'stale' })
  assert.equal((await company.invoice('stale')).subtotal_cents, 5_500)
  const { id } = await company.invoice('stale', '2026-05')
  const refused = await company.call('POST', `/invoices/${id}/issue`)
  assert.deepEqual([refused.status, refused.body.code], [409, 'invoicing/out-of-date'])
  await company.rollup({ tenant_id: 'stale', period: '2026-05', force: true })
  assert.deepEqual(await adjustments('stale', '2026-05'), [])
  await company.post(`/invoices/${(await company.invoice('stale', '2026-05')).id}/issue`)
})

/** Bills April at a base price before tax, credits some of it (gross) and ends the subscription after the fact. */
async function credited(
  tenant_id: string,
  { billed_cents, credits, ended_on }: { billed_cents: number; credits: number[]; ended_on: string },
) {
  company.clock.set('2026-05-02T06:00:00Z')
  await company.plan(tenant_id, { base_price_cents: billed_cents })
  const { id } = await company.subscribe(await company.tenant(tenant_id), { plan_code: tenant_id })
  await company.rollup({ tenant_id })
  const april = await company.post(`/invoices/${(await company.invoice(tenant_id)).id}/issue`)
  for (const amount_cents of credits) await credit(april.id, amount_cents)
  company.clock.set('2026-06-02T06:00:00Z')
  await company.post(`/subscriptions/${id}/cancel`, { end_date: ended_on })
  await company.rollup({ tenant_id, period: '2026-05' })
  return april.id
}

async function credit(invoice_id: string, amount_cents: number) {
  return company.post(`/invoices/${invoice_id}/credit-notes`, { amount_cents, reason: 'Agreed' })
}

test('what was credited is not given back again by an adjustment', async () => {
  await credited('whole', { billed_cents: 24_995, credits: [27_495], ended_on: '2026-04-01' })
  assert.deepEqual((await company.call('GET', '/invoices?tenant_id=whole&period=2026-05')).body.data, [])
  await credited('most', { billed_cents: 10_000, credits: [9_000, 900], ended_on: '2026-04-16' })
  assert.deepEqual(await adjustments('most', '2026-05'), [['2026-04-01', -1_000]])
  const may = await company.invoice('most', '2026-05')
  const { formula } = await company.ok('GET', `/invoices/${may.id}/lines/${may.lines[0].id}/explanation`)
  assert.equal(formula, '50.00 rated now + 40.00 credited already − 100.00 billed already = -10.00')
  await credited('goodwill', { billed_cents: 10_000, credits: [1_100], ended_on: '2026-04-16' })
  assert.deepEqual(await adjustments('goodwill', '2026-05'), [['2026-04-01', -5_000]])
})

test('the audit finds a month of which more was given back than was billed, and a credit note that is of no months', async () => {
  await credited('planted', { billed_cents: 10_000, credits: [1_100], ended_on: '2026-04-16' })
  const note = `(select id from invoicing.credit_note where tenant_id = 'planted')`
  const change = (cents: number) =>
    company.db.script(`update invoicing.credit_note_month set amount_cents = ${cents} where credit_note_id = ${note}`)
  const broken = async () =>
    (await runAudit(company.db.read, invoicingInvariants)).flatMap(({ name, violations }) =>
      violations.map(({ subject, detail }) => [name, subject, detail]),
    )
  assert.deepEqual(await broken(), [])
  // 100.00 were billed and May gives back 50.00: with 50.01 of credit it would be a cent too much.
  await change(5_000)
  assert.deepEqual(
    (await broken()).map(([name]) => name),
    ['invoicing.credits-are-of-months'],
  )
  await change(5_001)
  const [given_back, of_months] = await broken()
  assert.deepEqual(given_back, ['invoicing.given-back-was-billed', 'planted 2026-04-01', 'billed 5000, credited 5001'])
  assert.deepEqual(
    [of_months?.[0], of_months?.[2]],
    ['invoicing.credits-are-of-months', 'net 1000 of months worth 5001'],
  )
  await change(1_000)
  assert.deepEqual(await broken(), [])
})

test('a credit note gives back no more than adjustments, in drafts too, have left', async () => {
  const april = await credited('left', { billed_cents: 10_000, credits: [1_100], ended_on: '2026-04-16' })
  const body = { amount_cents: 4_401, reason: 'All' }
  const refused = await company.call('POST', `/invoices/${april}/credit-notes`, { body })
  assert.deepEqual([refused.status, refused.body.code], [422, 'invoicing/credit-too-large'])
  assert.match(refused.body.detail, /^At most 44.00 AUD/)
  assert.equal((await credit(april, 4_400)).tax_cents, 400)
  await company.rollup({ tenant_id: 'left', period: '2026-05', force: true })
  assert.deepEqual(await adjustments('left', '2026-05'), [['2026-04-01', -5_000]])
})

test('credit for an invoice that adjusts counts for the months that it bills, and keeps it from being made void', async () => {
  const { deployment_id, april_id } = await billApril('both')
  await company.use(deployment_id, '500', '2026-04-20T00:00:00Z')
  await company.rollup({ tenant_id: 'both', period: '2026-05' })
  const may = await company.invoice('both', '2026-05')
  await company.post(`/invoices/${may.id}/issue`)
  await credit(april_id, 5_500)
  // April: 100.00 billed with what May adds, 50.00 credited. Of May's own 50.00 and those 50.00, half each.
  await credit(may.id, 5_500)
  const { id } = (await company.ok('GET', `/deployments/${deployment_id}`)).subscription
  await company.post(`/subscriptions/${id}/cancel`, { end_date: '2026-04-01' })
  company.clock.set('2026-07-02T06:00:00Z')
  await company.rollup({ tenant_id: 'both', period: '2026-06' })
  assert.deepEqual(await adjustments('both', '2026-06'), [
    ['2026-04-01', -2_500],
    ['2026-05-01', -2_500],
  ])
  const refused = await company.call('POST', `/invoices/${may.id}/void`, { body: {} })
  assert.equal(refused.body.code, 'invoicing/not-voidable')
})

test('what credit notes and adjustments have given back of a month stays billed', async () => {
  const { deployment_id, april_id } = await billApril('kept')
  await company.use(deployment_id, '500', '2026-04-20T00:00:00Z')
  await company.rollup({ tenant_id: 'kept', period: '2026-05' })
  const may = await company.invoice('kept', '2026-05')
  await company.post(`/invoices/${may.id}/issue`)
  await credit(april_id, 5_500)
  const { id } = (await company.ok('GET', `/deployments/${deployment_id}`)).subscription
  await company.post(`/subscriptions/${id}/cancel`, { end_date: '2026-04-01' })
  company.clock.set('2026-07-02T06:00:00Z')
  await company.rollup({ tenant_id: 'kept', period: '2026-06' })
  assert.deepEqual(await adjustments('kept', '2026-06'), [
    ['2026-04-01', -5_000],
    ['2026-05-01', -5_000],
  ])
  const refused = await company.call('POST', `/invoices/${may.id}/void`, { body: {} })
  assert.deepEqual([refused.status, refused.body.code], [409, 'invoicing/not-voidable'])
  assert.match(refused.body.detail, /for 2026-04;/)
})

test('a held charge that is released later is late usage', async () => {
  company.clock.set('2026-05-02T06:00:00Z')
  const id = await company.tenant('held')
  await company.subscribe(id)
  await company.ask('held', id, { id: 'req_held', charge: null, occurred_at: '2026-04-11T00:00:00Z' })
  await company.rollup({ tenant_id: 'held' })
  await company.post(`/invoices/${(await company.invoice('held')).id}/issue`)
  company.clock.set('2026-06-02T06:00:00Z')
  await company.ask('held', id, { id: 'req_held', charge: '1.25', occurred_at: '2026-04-11T00:00:00Z' })
  await company.rollup({ tenant_id: 'held', period: '2026-05' })
  assert.deepEqual(await adjustments('held', '2026-05'), [['2026-04-01', 125]])
})

test('an event that was stamped before the invoice was made and committed after it is not lost', async () => {
  const { deployment_id } = await billApril('crossing')
  company.clock.set('2026-04-20T00:00:00Z')
  await company.use(deployment_id, '5', '2026-04-20T00:00:00Z')
  company.clock.set('2026-06-02T06:00:00Z')
  await company.rollup({ tenant_id: 'crossing', period: '2026-05' })
  assert.deepEqual(await adjustments('crossing', '2026-05'), [['2026-04-01', 50]])
})

test('an issued month is not adjusted when nothing has changed in it', async () => {
  const { deployment_id } = await billApril('still')
  await company.use(deployment_id, '5', '2026-05-20T00:00:00Z')
  await company.rollup({ tenant_id: 'still', period: '2026-05' })
  assert.deepEqual(await adjustments('still', '2026-05'), [])
})

test('a subscription that ended in an issued month after the fact is credited', async () => {
  company.clock.set('2026-05-02T06:00:00Z')
  const id = await company.tenant('ended')
  const { id: subscription_id } = await company.subscribe(id)
  await company.rollup({ tenant_id: 'ended' })
  await company.post(`/invoices/${(await company.invoice('ended')).id}/issue`)
  company.clock.set('2026-06-02T06:00:00Z')
  await company.post(`/subscriptions/${subscription_id}/cancel`, { end_date: '2026-04-16' })
  await company.rollup({ tenant_id: 'ended', period: '2026-05' })
  const may = await company.invoice('ended', '2026-05')
  assert.deepEqual([may.subtotal_cents, may.tax_cents, may.total_cents], [-2_500, -250, -2_750])
})

test('late usage is billed with its month’s discounts, and fills up the commitment before it costs more', async () => {
  company.clock.set('2026-05-02T06:00:00Z')
  const ids = new Map<string, string>()
  for (const tenant_id of ['discounted', 'committed']) {
    const deployment_id = await company.tenant(tenant_id)
    const { id } = await company.subscribe(deployment_id)
    ids.set(tenant_id, deployment_id)
    const terms =
      tenant_id === 'discounted'
        ? (['discounts', { name: 'A tenth', rate: '0.10', start_date: '2026-04-01' }] as const)
        : (['overrides', { commitment_cents: 5_400, start_date: '2026-04-01' }] as const)
    await company.post(`/subscriptions/${id}/${terms[0]}`, terms[1])
    await company.rollup({ tenant_id })
    await company.post(`/invoices/${(await company.invoice(tenant_id)).id}/issue`)
  }
  assert.equal((await company.invoice('discounted')).subtotal_cents, 4_500)
  assert.equal((await company.invoice('committed')).subtotal_cents, 5_400)
  company.clock.set('2026-06-02T06:00:00Z')
  for (const [tenant_id, deployment_id] of ids) {
    await company.use(deployment_id, '100', '2026-04-20T00:00:00Z')
    await company.rollup({ tenant_id, period: '2026-05' })
  }
  assert.deepEqual(await adjustments('discounted', '2026-05'), [['2026-04-01', 900]])
  assert.deepEqual(await adjustments('committed', '2026-05'), [['2026-04-01', 600]])
})

test('a discount or a price that is given for an issued month is credited with the next invoice', async () => {
  for (const [tenant_id, path, terms] of [
    ['given', 'discounts', { name: 'A tenth', rate: '0.10', start_date: '2026-04-15', periods: 1 }],
    ['agreed', 'overrides', { base_price_cents: 2_000, start_date: '2026-04-16', end_date: '2026-05-01' }],
  ] as const) {
    const { deployment_id } = await billApril(tenant_id)
    const { id } = (await company.ok('GET', `/deployments/${deployment_id}`)).subscription
    await company.post(`/subscriptions/${id}/${path}`, terms)
    await company.rollup({ tenant_id, period: '2026-05' })
  }
  assert.deepEqual(await adjustments('given', '2026-05'), [['2026-04-01', -500]])
  assert.deepEqual(await adjustments('agreed', '2026-05'), [['2026-04-01', -1_500]])
})

test('a late change of a level is billed for every issued month after it', async () => {
  await company.post('/meters', { code: 'stored', name: 'x', unit: 'GB·h', aggregation: 'time_weighted_sum' })
  const charges = [{ meter: 'stored', model: 'per_unit', unit_price: '0.01' }]
  const version = { currency: 'AUD', base_price_cents: 0, charges }
  await company.post('/plans', { code: 'storage', name: 'Storage', version })
  await company.post('/plans/storage/versions/1/publish')
  company.clock.set('2026-06-02T06:00:00Z')
  const deployment_id = await company.tenant('level')
  await company.subscribe(deployment_id, { plan_code: 'storage', start_date: '2026-04-01' })
  const change = (id: string, quantity: string, occurred_at: string) =>
    company.post('/usage/events', { events: [{ id, deployment_id, meter: 'stored', quantity, occurred_at }] })
  await change('first', '1', '2026-04-01T00:00:00Z')
  for (const month of ['2026-04', '2026-05']) {
    await company.rollup({ tenant_id: 'level', period: month })
    await company.post(`/invoices/${(await company.invoice('level', month)).id}/issue`)
  }
  company.clock.set('2026-07-02T06:00:00Z')
  await change('late', '-0.5', '2026-04-21T00:00:00Z')
  await company.rollup({ tenant_id: 'level', period: '2026-06' })
  assert.deepEqual(await adjustments('level', '2026-06'), [
    ['2026-04-01', -120],
    ['2026-05-01', -372],
  ])
  assert.equal((await company.invoice('level', '2026-06')).lines[0].amount_cents, 360)
})

test('late usage is taxed as its month was, on a tax line of its own', async () => {
  const { deployment_id } = await billApril('moved')
  await company.use(deployment_id, '100', '2026-04-20T00:00:00Z')
  await company.call('PATCH', '/tenants/moved', { body: { tax: { treatment: 'taxable', name: 'VAT', rate: '0.20' } } })
  await company.rollup({ tenant_id: 'moved', period: '2026-05' })
  const may = await company.invoice('moved', '2026-05')
  assert.deepEqual(
    may.lines.map((line: { kind: string; description: string; amount_cents: number }) => [
      line.kind,
      line.description.split(' (')[0],
      line.amount_cents,
    ]),
    [
      ['plan_base', 'studio v1 base price', 5_000],
      ['adjustment', 'Adjustment of 2026-04', 1_000],
      ['tax', 'VAT 20 %', 1_000],
      ['tax', 'GST 10 %', 100],
    ],
  )
  assert.deepEqual([may.subtotal_cents, may.tax_cents, may.total_cents], [6_000, 1_100, 7_100])
  const findings = await runAudit(company.db.read, invoicingInvariants)
  assert.deepEqual(
    findings.filter((finding) => !finding.ok),
    [],
  )
})
