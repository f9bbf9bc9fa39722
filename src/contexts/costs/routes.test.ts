import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { sql } from 'kysely'
import type { Call } from '../../../test/support/http.ts'
import { toJson } from '../../platform/db.ts'
import {
  assertSound,
  brokenInvariants,
  csv,
  deploy,
  emptyTables,
  HEADER,
  listInventory,
  row,
  startCosts,
  upload,
} from './costs.fixture.ts'

const costs = await startCosts()
const { call, db, edge, enqueued, issued } = costs
after(() => costs.close())
beforeEach(() => emptyTables(costs))

const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'
const DROPLET = row('Droplets', 'web (s-1vcpu-1gb)', '76.00', 'boab')
const IN_MARCH = DROPLET.replaceAll('2026-04', '2026-03')
const TAX = 'Taxes,,GST (10%),,2026-04-01 00:00:00 +0000,2026-04-30 23:59:59 +0000,$7.90,,'
const BILL = csv(DROPLET, row('Bandwidth', 'Bandwidth overage', '5.00'), 'Credits,,Promo,,,,-$2.00,,', TAX)
const NUMBERED = 'period=2026-04&invoice_number=512'

test('a new bill is stored whole, with its control totals, and handed over once', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  await listInventory(edge, '2026-02-01T00:00:00Z', [{ external_id: '1', name: 'web', tags: ['arcadia:boab:studio'] }])
  const { status, body } = await upload(costs, BILL, NUMBERED)
  assert.equal(status, 201)
  const { data } = body
  assert.deepEqual(data, {
    id: data.id,
    outcome: 'created',
    provider: 'digitalocean',
    external_id: '512',
    invoice_number: '512',
    billing_account: null,
    issuer_name: null,
    status: 'issued',
    period: { start: '2026-04-01', end: '2026-05-01' },
    currency: 'USD',
    amount: '86.9',
    lines_amount: '86.9',
    gap: '0',
    balanced: true,
    tax_amount: '7.9',
    credit_amount: '-2',
    matched_amount: '76',
    allocated_amount: '0',
    unmatched_amount: '5',
    line_count: 4,
    matched_lines: 1,
    allocated_lines: 0,
    unmatched_lines: 1,
    unclassified_lines: 0,
    unclassified_amount: '0',
    coverage: '0.9383',
    summary_check: 'not_available',
    checks: [
      { name: 'lines', expected: '86.9', found: '86.9', ok: true },
      { name: 'summary', expected: null, found: '86.9', ok: null },
      { name: 'summary_parts', expected: null, found: null, ok: null },
      { name: 'product_charges', expected: null, found: '76', ok: null },
      { name: 'overages', expected: null, found: '5', ok: null },
      { name: 'taxes', expected: null, found: '7.9', ok: null },
      { name: 'credits_and_adjustments', expected: null, found: '-2', ok: null },
      { name: 'products', expected: null, found: null, ok: null },
    ],
    summary: null,
    read_from: 'upload',
    difference: null,
    settled_differences: [],
    withdrawal: null,
    replaces: [],
    announced_at: '2026-05-02T06:00:00Z',
    ingested_at: '2026-05-02T06:00:00Z',
    last_error: null,
  })
  assert.deepEqual(issued, [data.id])
  const lines = await call('GET', '/billing/cost-lines?period=2026-04-17&kind=droplet')
  const [line] = lines.body.data
  assert.deepEqual(lines.body.data, [
    {
      id: line.id,
      provider: 'digitalocean',
      provider_invoice_id: data.id,
      position: 0,
      kind: 'droplet',
      product: 'Droplets',
      group_description: null,
      description: 'web (s-1vcpu-1gb)',
      charge_category: 'Usage',
      service_category: 'Compute',
      service_name: 'Droplets',
      amount: '76',
      currency: 'USD',
      charge_period: { start: '2026-04-01T00:00:00Z', end: '2026-05-01T00:00:00Z' },
      quantity: '720',
      unit: 'hours',
      project: 'boab',
      region: null,
      extra: { category: 'iaas' },
      resource_id: line.resource_id,
      resource_name: 'web',
      tenant_id: 'boab',
      deployment_id: studio,
      match_status: 'matched',
      match_method: 'kind_and_name',
      match_reason: 'droplet named web',
      shares: [],
    },
  ])
  await assertSound(costs)
})

test('the same bill again, its rows in any order, is unchanged', async () => {
  const first = await upload(costs, BILL, NUMBERED)
  const [header, ...rows] = BILL.trim().split('\n')
  const again = await upload(costs, [header, ...rows.toReversed()].join('\r\n'), NUMBERED)
  assert.deepEqual([again.status, again.body.data.id], [200, first.body.data.id])
  assert.equal(issued.length, 1)
  assert.equal((await call('GET', '/billing/cost-lines')).body.data.length, 4)
})

test('the lines of an issued bill are no second bill, whatever number is said', async () => {
  const first = await upload(costs, BILL, NUMBERED)
  const { status, body } = await upload(costs, BILL, 'period=2026-04&invoice_number=513')
  assert.deepEqual([status, body.code], [409, 'costs/content-stored-already'])
  assert.match(body.detail, new RegExp(`512 of 2026-04 .*${first.body.data.id}`))
  assert.equal((await list('provider-invoices')).data.length, 1)
})

test('a bill whose lines are all of other months is refused, and the months are named', async () => {
  for (const month of ['2026-03', '2026-05']) {
    const { status, body } = await upload(costs, BILL, `period=${month}`)
    assert.deepEqual([status, body.code], [422, 'costs/period-differs'])
    assert.match(body.detail, new RegExp(`for ${month}; they are of 2026-04\\.`))
  }
  const late = csv(DROPLET.replaceAll('2026-04', '2026-03').replaceAll('2026-05', '2026-04'), DROPLET)
  assert.equal((await upload(costs, late)).status, 201, 'late lines come with those of the month')
  const undated = await upload(costs, csv('Credits,,Promo,,,,-$2.00,,'), 'period=2026-05')
  assert.equal(undated.status, 201, 'lines that do not say when are of the month that is stated')
})

test('an issued bill with other content is refused, and what is stored stays', async () => {
  const { body } = await upload(costs, BILL, NUMBERED)
  const other = await upload(costs, csv(DROPLET), NUMBERED)
  assert.deepEqual([other.status, other.body.code], [409, 'costs/invoice-differs'])
  assert.match(other.body.detail, /86\.9.*76/)
  const after = await call('GET', `/billing/provider-invoices/${body.data.id}`)
  assert.deepEqual({ ...after.body.data, outcome: body.data.outcome }, body.data)
})

test('a file that cannot be read is refused cell by cell, and nothing of it is stored', async () => {
  const text = csv(DROPLET, DROPLET.replace('$76.00', 'seventy'), DROPLET.replace('720', 'many'))
  const { status, body } = await upload(costs, text)
  assert.deepEqual([status, body.code], [422, 'costs/invoice-unreadable'])
  assert.deepEqual(
    body.errors.map((fault: { row: number; column: string }) => [fault.row, fault.column]),
    [
      [3, 'USD'],
      [4, 'hours'],
    ],
  )
  assert.deepEqual((await call('GET', '/billing/provider-invoices')).body.data, [])
  assert.equal((await upload(costs, `${HEADER}\n`)).body.errors[0].message, 'expected at least one line')
  assert.equal((await upload(costs, 'a,b\n1,2\n')).status, 422)
})

test('month and number may come from the name of the file, also as multipart', async () => {
  const filename = 'DigitalOcean Invoice 2026 Apr (6173678-512000038).csv'
  const first = await upload(costs, BILL, `filename=${encodeURIComponent(filename)}`)
  assert.deepEqual([first.status, first.body.data.invoice_number], [201, '512000038'])
  const boundary = 'x-boundary'
  const again = await call('POST', '/billing/provider-invoices/import', {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: [
      `--${boundary}`,
      `content-disposition: form-data; name="file"; filename="${filename}"`,
      'content-type: text/csv',
      '',
      BILL,
      `--${boundary}--`,
      '',
    ].join('\r\n'),
  })
  assert.deepEqual([again.status, again.body.data.id], [200, first.body.data.id])
})

test('a file without a number is the bill of its month', async () => {
  const first = await upload(costs, BILL)
  assert.deepEqual([first.body.data.external_id, first.body.data.invoice_number], ['2026-04', null])
  assert.equal((await upload(costs, BILL)).status, 200)
  assert.equal((await upload(costs, BILL, NUMBERED)).body.data.id, first.body.data.id)
  assert.equal((await upload(costs, csv(DROPLET))).status, 409)
  assert.equal((await upload(costs, csv(IN_MARCH), 'period=2026-03')).status, 201)
})

test('bytes that are no text, and requests without a file, are refused', async () => {
  const path = '/billing/provider-invoices/import?period=2026-04'
  const binary = await call('POST', path, {
    body: Buffer.from([0xff, 0xfe, 0xfd]),
    headers: { 'content-type': 'text/csv' },
  })
  assert.deepEqual([binary.status, binary.body.code], [422, 'costs/not-text'])
  assert.deepEqual((await call('POST', path)).body.code, 'costs/no-file')
  assert.equal((await call('POST', path, { body: { csv: BILL } })).status, 415)
  const unnamed = await upload(costs, BILL, '')
  assert.deepEqual([unnamed.status, unnamed.body.errors[0].path], [422, 'period'])
  assert.equal((await upload(costs, BILL, 'period=soon')).status, 422)
  assert.equal((await upload(costs, BILL, 'period=2026-13')).status, 422)
  assert.equal((await upload(costs, BILL, 'period=2026-04&provider=other')).status, 422)
})

test('lists are filtered and paged', async () => {
  await upload(costs, BILL, NUMBERED)
  await upload(costs, csv(IN_MARCH), 'period=2026-03&invoice_number=511')
  assert.equal((await list('cost-lines?period=2026-03')).data.length, 1)
  assert.equal((await list('cost-lines?match_status=not_applicable')).data.length, 2)
  assert.equal((await list(`cost-lines?deployment_id=${UNKNOWN_ID}`)).data.length, 0)
  const first = await list('cost-lines?limit=3')
  const rest = await list(`cost-lines?limit=3&cursor=${first.next_cursor}`)
  assert.deepEqual([first.data.length, rest.data.length, rest.next_cursor], [3, 2, null])
  const newest = await list('provider-invoices?limit=1')
  assert.equal(newest.data[0].invoice_number, '512')
  const older = await list(`provider-invoices?limit=1&cursor=${newest.next_cursor}`)
  assert.equal(older.data[0].invoice_number, '511')
  assert.equal((await list('provider-invoices?period=2026-03')).data.length, 1)
  assert.equal((await list('provider-invoices?status=preview')).data.length, 0)
})

async function list(path: string) {
  const { status, body } = await call('GET', `/billing/${path}`)
  assert.equal(status, 200)
  return body
}

test('there is no balance until one has been read', async () => {
  const { status, body } = await call('GET', '/billing/balance')
  assert.deepEqual([status, body.code], [404, 'costs/no-balance'])
  assert.match(body.detail, /DIGITALOCEAN_TOKEN/)
})

test('a sync without a provider is refused, and says what to set', async () => {
  const { status, body } = await call('POST', '/billing/sync')
  assert.deepEqual([status, body.code, enqueued], [409, 'provider/not-configured', []])
  assert.match(body.detail, /DIGITALOCEAN_TOKEN/)
})

test('each call is refused to whom it is not for', async () => {
  const paths: Parameters<Call>[] = [
    ['GET', '/billing/balance'],
    ['GET', '/billing/balances'],
    ['GET', '/billing/history'],
    ['GET', '/billing/cost-lines'],
    ['GET', '/billing/provider-invoices'],
    ['GET', `/billing/provider-invoices/${UNKNOWN_ID}`],
    ['POST', '/billing/provider-invoices/import'],
    ['POST', `/billing/cost-lines/${UNKNOWN_ID}/assignment`],
    ['GET', '/billing/allocation-rules'],
    ['POST', '/billing/allocation-rules'],
    ['DELETE', `/billing/allocation-rules/${UNKNOWN_ID}`],
    ['GET', '/billing/periods'],
    ['POST', '/billing/periods/2026-04/close'],
    ['POST', '/billing/periods/2026-04/reopen'],
    ['POST', '/billing/sync'],
  ]
  for (const [method, path] of paths) {
    assert.equal((await call(method, path, { as: 'nobody' })).status, 401, path)
    assert.equal((await call(method, path, { as: { tenant: 'boab' } })).status, 403, path)
  }
})

test('each wrong input has its status', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  await upload(costs, BILL, NUMBERED)
  const lines = (await call('GET', '/billing/cost-lines')).body.data
  const idOf = (kind: string) => lines.find((line: { kind: string }) => line.kind === kind).id
  const assign = (id: string, body: unknown) => call('POST', `/billing/cost-lines/${id}/assignment`, { body })
  const addRule = (body: unknown) => call('POST', '/billing/allocation-rules', { body })
  const share = { deployment_id: studio, weight: '1' }

  assert.equal((await call('GET', '/billing/cost-lines?colour=blue')).status, 422)
  assert.equal((await call('GET', '/billing/cost-lines?match_status=maybe')).status, 422)
  assert.equal((await call('GET', '/billing/cost-lines?cursor=x')).status, 422)
  assert.equal((await call('GET', `/billing/provider-invoices/${UNKNOWN_ID}`)).status, 404)
  assert.equal((await call('GET', '/billing/provider-invoices/7')).status, 404)

  assert.equal((await assign(UNKNOWN_ID, { deployment_id: studio })).status, 404)
  assert.equal((await assign(idOf('droplet'), { deployment_id: 7 })).status, 422)
  assert.equal((await assign(idOf('droplet'), { deployment_id: studio, colour: 'blue' })).status, 422)
  assert.equal((await assign(idOf('droplet'), { deployment_id: UNKNOWN_ID })).body.code, 'costs/unknown-deployment')
  assert.equal((await assign(idOf('tax'), { deployment_id: studio })).body.code, 'costs/line-not-assignable')
  const nameless = await assign(idOf('bandwidth'), { deployment_id: studio, remember: true })
  assert.equal(nameless.body.code, 'costs/line-not-assignable')

  assert.equal((await addRule({ shares: [share] })).status, 422)
  assert.equal((await addRule({ project: 'x', shares: [] })).status, 422)
  assert.equal((await addRule({ project: 'x', shares: [share], colour: 'blue' })).status, 422)
  assert.equal((await addRule({ project: 'x', shares: [{ ...share, weight: 1 }] })).status, 422)
  const wrong = [share, { ...share, weight: '2' }, { deployment_id: UNKNOWN_ID, weight: '1' }]
  assert.deepEqual(
    (await addRule({ project: 'x', shares: wrong })).body.errors.map(({ path }: { path: string }) => path),
    ['shares/1/deployment_id', 'shares/2/deployment_id'],
  )
  const weightless = await addRule({ project: 'x', shares: [{ ...share, weight: '0' }] })
  assert.equal(weightless.body.errors[0].path, 'shares/0/weight')
  assert.equal((await call('DELETE', `/billing/allocation-rules/${UNKNOWN_ID}`)).status, 404)
})

test('rules are listed, oldest first, and paged', async () => {
  const studio = await deploy(edge, 'boab', 'studio')
  const shares = [{ deployment_id: studio, weight: '1' }]
  for (const project of ['one', 'two', 'three']) {
    await call('POST', '/billing/allocation-rules', { body: { project, shares } })
    costs.clock.set(costs.clock.now().add({ seconds: 1 }))
  }
  const first = (await call('GET', '/billing/allocation-rules?limit=2')).body
  const rest = (await call('GET', `/billing/allocation-rules?limit=2&cursor=${first.next_cursor}`)).body
  assert.deepEqual(
    [...first.data, ...rest.data].map(({ project }: { project: string }) => project),
    ['one', 'two', 'three'],
  )
  assert.deepEqual(first.data[0].shares, [{ tenant_id: 'boab', deployment_id: studio, weight: '1' }])
})

test('the database refuses to change or delete an issued bill and its lines', async () => {
  await upload(costs, BILL, NUMBERED)
  const attempts = {
    amount: db.transaction((tx) => tx.updateTable('costs.provider_invoice').set({ amount: '1' }).execute()),
    bill: db.transaction((tx) => tx.deleteFrom('costs.provider_invoice').execute()),
    line: db.transaction((tx) => tx.updateTable('costs.cost_line').set({ description: 'x' }).execute()),
    project: db.transaction((tx) => tx.updateTable('costs.cost_line').set({ project: 'x' }).execute()),
    more: db.transaction((tx) =>
      sql`insert into costs.cost_line
        select (jsonb_populate_record(l, ${toJson({ position: 9, id: UNKNOWN_ID })}::jsonb)).*
        from costs.cost_line l limit 1`.execute(tx),
    ),
    lines: db.transaction((tx) => tx.deleteFrom('costs.cost_line').execute()),
  }
  for (const attempt of Object.values(attempts)) {
    await assert.rejects(attempt, { code: 'costs/invoice-differs' })
  }
})

for (const [name, damage] of Object.entries({
  'costs.bills-conserve-money': `
    alter table costs.cost_line disable trigger user;
    update costs.cost_line set amount = amount + 0.01 where kind = 'droplet';
    alter table costs.cost_line enable trigger user`,
  'costs.shares-add-up': `
    update costs.cost_line set match_status = 'allocated', match_method = 'allocation_rule' where kind = 'bandwidth';
    insert into costs.line_share select l.id, d.tenant_id, d.id, l.amount - 0.01
    from costs.cost_line l, deployments.deployment d where l.kind = 'bandwidth'`,
  'costs.only-allocated-lines-are-split': `
    insert into costs.line_share select l.id, d.tenant_id, d.id, 1 from costs.cost_line l, deployments.deployment d limit 1`,
  'costs.owned-lines-say-by-which-rung': `update costs.cost_line set match_method = 'by_hand' where kind = 'bandwidth'`,
  'costs.issued-bills-do-not-change': `update costs.provider_invoice set difference = '{"amount": "1"}'`,
  'costs.previews-are-not-pushed': `
    insert into costs.provider_invoice (id, provider, external_id, status, period_start, period_end, currency, amount,
      lines_amount, content_hash, incomplete_readings, announced_at, ingested_at)
    values ('${UNKNOWN_ID}', 'digitalocean', 'preview', 'preview', '2026-05-01', '2026-06-01', 'USD', 0, 0, '', 0, now(), now());
    insert into finance.push (id, document, source, external_id, minor_unit_places, payload, status, attempts, created_at)
    values ('${UNKNOWN_ID}', 'provider_invoice', 'digitalocean', 'preview', 2, '{}', 'not_configured', 0, now())`,
})) {
  test(`the audit finds what breaks ${name}`, async () => {
    await deploy(edge, 'boab', 'studio')
    await upload(costs, BILL, NUMBERED)
    await assertSound(costs)
    await db.script(damage)
    assert.deepEqual(await brokenInvariants(db), [name])
  })
}
