import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { type Account, demoAccount } from '../../../demo/digitalocean/account.ts'
import { resourceCount } from '../../../demo/digitalocean/inventory.ts'
import { csvFilename, csvOf } from '../../../demo/digitalocean/documents.ts'
import { type Faults, startDigitalOceanStandIn } from '../../../demo/digitalocean/server.ts'
import { Problem } from '../../kernel/problem.ts'
import { OutboundError } from '../../platform/outbound.ts'
import { createDigitalOcean, type DigitalOcean } from '../../providers/digitalocean/index.ts'
import { assertSound, brokenInvariants, emptyTables, type InvoiceJson, startCosts, upload } from './costs.fixture.ts'
import { listDifferingBills } from './bill-queries.ts'
import { costsJobs, readPreview, syncNow, type SyncProgress } from './index.ts'
import { IMPATIENCE_MS } from '../../../test/support/patience.ts'

const TOKEN = 'dop_v1_test'
const whole = demoAccount()
/** The last two of its bills are enough. */
const account: Account = { ...whole, invoices: whole.invoices.slice(0, 2), billing_history: [] }
const [april, march] = account.invoices
assert.ok(april && march)

const costs = await startCosts()
const { call, db, edge, enqueued, issued, onBillIssued } = costs
after(() => costs.close())
beforeEach(async () => {
  await emptyTables(costs)
  enqueued.length = 0
})

test('a sync reads inventory, balance, every bill and the preview, each line of them, and all totals agree', async () => {
  const steps: SyncProgress[] = []
  const summary = await connected({}, (provider) =>
    syncNow({ edge, provider, onBillIssued }, (progress) => steps.push(progress)),
  )
  const line_count = april.items.length + march.items.length
  const resources = resourceCount(account)
  assert.deepEqual(summary, {
    resources,
    not_listed: [],
    unread: [],
    invoices_new: 2,
    invoices_unchanged: 0,
    lines: line_count,
    preview_lines: account.preview.items.length,
    history_new: 0,
    failed: [],
  })
  assert.deepEqual(steps.slice(-2), [
    { step: 'invoices', done: 2, total: 2 },
    { step: 'preview', done: 1, total: 1 },
  ])
  const bills = await invoices()
  assert.deepEqual(
    bills.map((bill: InvoiceJson) => [
      bill.external_id,
      bill.status,
      bill.balanced,
      bill.summary_check,
      bill.read_from,
    ]),
    [april, march].map(({ invoice_uuid }) => [invoice_uuid, 'issued', true, 'agrees', 'items']),
  )
  assert.deepEqual([bills[0].amount, bills[0].tax_amount, bills[0].line_count], ['86.92', '7.9', 33])
  assert.deepEqual(issued.toSorted(), bills.map(({ id }: { id: string }) => id).toSorted())
  const { body } = await call('GET', '/billing/balance')
  assert.equal(body.data.generated_at, account.generated_at)
  await assertSound(costs)
})

test('a second sync finds everything unchanged and hands nothing over again', async () => {
  await sync()
  const before = await invoices()
  const summary = await sync()
  assert.deepEqual([summary.invoices_new, summary.invoices_unchanged, summary.lines], [0, 2, 0])
  assert.deepEqual(await invoices(), before)
  assert.equal(issued.length, 2)
})

test('asking for a sync puts inventory, balance, history and preview into the queue', async (t) => {
  await connected({}, async (provider) => {
    const asked = await startCosts(provider)
    t.after(asked.close)
    const { status, body } = await asked.call('POST', '/billing/sync')
    assert.deepEqual(
      [status, body.data.enqueued],
      [202, ['inventory.sync', 'costs.take-balance', 'costs.read-billing-history', 'costs.read-preview']],
    )
    assert.deepEqual(
      asked.enqueued.map(({ job }) => job),
      body.data.enqueued,
    )
  })
})

test('the history announces each invoice once and asks for each by itself', async () => {
  await runJob('costs.read-billing-history')
  const bills = await invoices()
  assert.deepEqual(
    bills.map((bill: InvoiceJson) => [bill.status, bill.amount, bill.lines_amount, bill.coverage]),
    [
      ['announced', '86.92', null, null],
      ['announced', bills[1].amount, null, null],
    ],
  )
  assert.deepEqual(enqueued, enqueuedIngests(bills.map(({ id }: { id: string }) => id)))
  const outcome = await runJob('costs.ingest-invoice', { provider_invoice_id: bills[0].id })
  assert.deepEqual(outcome, { outcome: 'done', detail: 'issued, 33 lines' })
  const again = await runJob('costs.ingest-invoice', { provider_invoice_id: bills[0].id })
  assert.deepEqual(again, { outcome: 'done', detail: 'unchanged, 33 lines' })
  assert.deepEqual(issued, [bills[0].id])
  enqueued.length = 0
  await runJob('costs.read-billing-history')
  assert.deepEqual(enqueued, enqueuedIngests([bills[1].id]))
})

test('an invoice that only the billing history names is announced for the month before its date', async () => {
  const billing_history = whole.billing_history.filter(({ invoice_uuid }) => invoice_uuid === april.invoice_uuid)
  await runJob('costs.read-billing-history', {}, { account: { ...account, invoices: [], billing_history } })
  const [bill] = await invoices()
  assert.deepEqual([bill.external_id, bill.period.start, bill.amount], [april.invoice_uuid, '2026-04-01', '86.92'])
})

test('the preview is replaced whole, and never handed over', async () => {
  await runJob('costs.read-preview')
  const [line, ...others] = account.preview.items
  assert.ok(line)
  const shorter = { ...account, preview: { ...account.preview, items: others } }
  await runJob('costs.read-preview', {}, { account: shorter })
  const bills = await previews()
  assert.deepEqual(
    bills.map((bill: InvoiceJson) => [bill.external_id, bill.status, bill.line_count, bill.balanced]),
    [['preview', 'preview', others.length, true]],
  )
  const lines = await call('GET', '/billing/cost-lines?limit=200')
  assert.equal(lines.body.data.length, others.length)
  assert.deepEqual(issued, [])
  await assertSound(costs)
})

test('a provider without a preview is no failure', async () => {
  const provider = { ...unreachable(), invoices: async () => ({ invoices: [], preview: null }) }
  assert.equal(await readPreview({ edge, provider, transact: db.transaction }), null)
})

test('where the items cannot be read the CSV is, and the items that come later are the same bill', async () => {
  await connected({}, (provider) => {
    const broken: DigitalOcean = { ...provider, invoiceItems: () => Promise.reject(unreadable()) }
    return syncNow({ edge, provider: broken, onBillIssued })
  })
  const [bill] = await invoices()
  assert.deepEqual([bill.read_from, bill.line_count, bill.balanced], ['csv', 33, true])
  const outcome = await runJob('costs.ingest-invoice', { provider_invoice_id: bill.id })
  assert.equal(outcome.detail, 'unchanged, 33 lines')
})

test('a bill that was uploaded first is the same when the provider lists it', async () => {
  await upload(costs, csvOf(april), `filename=${encodeURIComponent(csvFilename(account, april))}`)
  await upload(costs, csvOf(march), 'period=2026-03')
  const summary = await sync()
  assert.deepEqual([summary.invoices_new, summary.invoices_unchanged, summary.lines], [0, 2, 0])
  assert.equal((await invoices()).length, 2)
  assert.equal(issued.length, 2)
  assert.equal((await sync()).invoices_unchanged, 2)
})

test('an uploaded bill whose first comparison fails is compared by a later run', async () => {
  await upload(costs, csvOf(april), `period=2026-04&invoice_number=${april.invoice_id}`)
  const broken = await connected({}, (provider) => {
    const invoiceItems = () => Promise.reject(new Error('torn'))
    return syncNow({ edge, provider: { ...provider, invoiceItems }, onBillIssued })
  })
  assert.deepEqual(
    broken.failed.map(({ external_id }) => external_id).toSorted(),
    [april.invoice_id, march.invoice_uuid, 'preview'].toSorted(),
  )
  assert.equal((await invoices())[0].last_error, 'torn')
  assert.equal((await sync()).invoices_unchanged, 1)
  assert.equal((await invoices())[0].last_error, null)
})

test('an announced bill may be uploaded, if the file adds up to what the provider announced', async () => {
  await runJob('costs.read-billing-history')
  const query = `period=2026-04&invoice_number=${april.invoice_id}`
  const wrong = await upload(costs, csvOf({ ...april, items: april.items.slice(1) }), query)
  assert.deepEqual([wrong.status, wrong.body.code], [422, 'costs/totals-differ'])
  const right = await upload(costs, csvOf(april), query)
  assert.deepEqual([right.status, right.body.data.external_id], [201, april.invoice_uuid])
  assert.equal((await invoices()).length, 2)
})

test('other content for an issued bill is kept as a difference, and overwrites nothing', async () => {
  await upload(
    costs,
    csvOf({ ...april, items: april.items.slice(1) }),
    `period=2026-04&invoice_number=${april.invoice_id}`,
  )
  const { failed } = await sync()
  assert.deepEqual(failed, [
    { external_id: april.invoice_id, detail: 'the provider sends other content than what is issued' },
  ])
  const [bill] = await invoices()
  assert.deepEqual([bill.line_count, bill.difference.line_count, bill.difference.lines_amount], [32, 33, '86.92'])
  assert.deepEqual(await brokenInvariants(db), ['costs.issued-bills-do-not-change'])
})

test('an alarm that is settled with a reason is none again for the same version, and is for another', async () => {
  await sync()
  const [first, ...others] = april.items
  assert.ok(first)
  const versionOf = (amount: string) => ({
    account: { ...account, invoices: [{ ...april, items: [{ ...first, amount }, ...others] }, march] },
  })
  const failedIn = async (version: ReturnType<typeof versionOf>) => {
    const { failed } = await connected(version, (provider) => syncNow({ edge, provider, onBillIssued }))
    return failed.map(({ external_id }: { external_id: string }) => external_id)
  }
  assert.deepEqual(await failedIn(versionOf('99.00')), [april.invoice_uuid])
  const [bill] = await invoices()
  const settle = () =>
    call('POST', `/billing/provider-invoices/${bill.id}/difference/settle`, { body: { reason: 'credited in May' } })
  const { status, body } = await settle()
  assert.deepEqual([status, body.data.difference, body.data.amount], [200, null, '86.92'])
  assert.deepEqual(
    body.data.settled_differences.map(({ reason, settled_by }: Record<string, string>) => [reason, settled_by]),
    [['credited in May', 'test-platform_admin']],
  )
  assert.deepEqual(await brokenInvariants(db), [])
  assert.equal((await settle()).status, 404)
  assert.deepEqual(await failedIn(versionOf('99.00')), [])
  await runJob('costs.ingest-invoice', { provider_invoice_id: bill.id }, versionOf('99.00'))
  assert.deepEqual((await invoices())[0].difference, null)
  assert.deepEqual(await failedIn(versionOf('98.00')), [april.invoice_uuid])
})

test('a second invoice under a known number is settled for good, too', async () => {
  const twin = { ...march, invoice_uuid: 'another', invoice_id: april.invoice_id }
  const listed = { account: { ...account, invoices: [april, twin] } }
  await runJob('costs.read-billing-history', {}, listed)
  const [bill] = await invoices()
  await call('POST', `/billing/provider-invoices/${bill.id}/difference/settle`, { body: { reason: 'asked support' } })
  await runJob('costs.read-billing-history', {}, listed)
  assert.equal((await invoices())[0].difference, null)
})

test('a second invoice under a known number is an alarm on the first, and not announced', async () => {
  const twin = { ...march, invoice_uuid: 'another', invoice_id: april.invoice_id }
  const { detail } = await runJob(
    'costs.read-billing-history',
    {},
    { account: { ...account, invoices: [april, twin] } },
  )
  assert.match(detail, /^1 new invoices/)
  const bills = await invoices()
  assert.deepEqual(
    bills.map(({ external_id, difference }: { external_id: string; difference: { invoice_uuid: string } }) => [
      external_id,
      difference.invoice_uuid,
    ]),
    [[april.invoice_uuid, 'another']],
  )
})

test('another amount for an issued bill is an alarm that shows both versions, also where only the CSV can be read', async () => {
  await sync()
  const [first, ...others] = april.items
  assert.ok(first)
  const dearer = { ...april, items: [{ ...first, amount: '99.00' }, ...others] }
  const changed = { account: { ...account, invoices: [dearer, march] } }
  const { failed } = await connected(changed, (provider) => {
    const broken: DigitalOcean = { ...provider, invoiceItems: () => Promise.reject(unreadable()) }
    return syncNow({ edge, provider: broken, onBillIssued })
  })
  assert.deepEqual(
    failed.filter(({ external_id }) => external_id === april.invoice_uuid),
    [{ external_id: april.invoice_uuid, detail: 'the provider sends other content than what is issued' }],
  )
  const [bill] = await invoices()
  assert.deepEqual([bill.amount, bill.balanced, bill.line_count], ['86.92', true, 33])
  const { data } = (await call('GET', `/billing/provider-invoices/${bill.id}/difference`)).body
  assert.equal(bill.difference.amount, data.received.lines_amount)
  assert.deepEqual(
    [data.stored.lines[0].amount, data.received.lines[0].amount, data.received.differing_count],
    ['4', '99', 1],
  )
  assert.deepEqual(await listDifferingBills(db.read), [{ provider: 'digitalocean', external_id: april.invoice_uuid }])
  assert.deepEqual(await brokenInvariants(db), ['costs.issued-bills-do-not-change'])
})

test('lines that change under the same total are an alarm within a day, for the newest bill', async () => {
  await sync()
  const [first, ...others] = april.items
  assert.ok(first)
  const renamed = { ...april, items: [{ ...first, description: 'another (s-1vcpu-1gb)' }, ...others] }
  const changed = { account: { ...account, invoices: [renamed, march] } }
  const syncChanged = () => connected(changed, (provider) => syncNow({ edge, provider, onBillIssued }))
  assert.deepEqual((await syncChanged()).failed, [], 'it was read today')
  const today = costs.clock.now()
  costs.clock.set(today.add({ hours: 24 }))
  try {
    const { failed } = await syncChanged()
    assert.deepEqual(
      failed.map(({ external_id }) => external_id),
      [april.invoice_uuid],
    )
  } finally {
    costs.clock.set(today)
  }
})

test('an invoice that is listed twice, because pages overlap, is announced once', async () => {
  const summary = await connected({}, async (provider) => {
    const listed = await provider.invoices()
    const invoices = async () => ({ ...listed, invoices: [...listed.invoices, ...listed.invoices.slice(0, 1)] })
    return syncNow({ edge, provider: { ...provider, invoices }, onBillIssued })
  })
  assert.deepEqual([summary.invoices_new, summary.invoices_unchanged, summary.failed], [2, 0, []])
})

test('a bill that is listed in part is refused and read again, and stored when it is whole', async () => {
  const part = await connected({}, (provider) => {
    const invoiceItems = async (uuid: string) => (await provider.invoiceItems(uuid)).slice(0, 5)
    return syncNow({ edge, provider: { ...provider, invoiceItems }, onBillIssued })
  })
  assert.equal(part.failed.length, 2)
  const [bill] = await invoices()
  assert.equal(bill.status, 'announced')
  assert.match(bill.last_error, /over 86\.92, and its 5 lines add up to/)
  assert.deepEqual((await sync()).failed, [])
  await assertSound(costs)
})

test('a bill that never adds up is stored in the end, shown with its gap and found by the audit', async () => {
  const raised = async () =>
    connected({}, async (provider) => {
      const { invoices: headers, preview } = await provider.invoices()
      const raised_headers = headers.map((header) => Object.assign({}, header, { amount: '100' }))
      return syncNow({
        edge,
        provider: { ...provider, invoices: async () => ({ invoices: raised_headers, preview }) },
        onBillIssued,
      })
    })
  assert.equal((await raised()).failed.length, 2)
  assert.equal((await invoices())[0].status, 'announced')
  await db.transaction((tx) =>
    tx
      .updateTable('costs.provider_invoice')
      .set((row) => ({ incomplete_readings: row('incomplete_readings', '+', 23) }))
      .execute(),
  )
  assert.deepEqual((await raised()).failed, [])
  const [bill] = await invoices()
  assert.deepEqual([bill.gap, bill.balanced, bill.summary_check], ['13.08', false, 'differs'])
  assert.deepEqual(
    bill.checks.filter(({ ok }: { ok: boolean | null }) => ok === false),
    [
      { name: 'lines', expected: '100', found: '86.92', ok: false },
      { name: 'summary', expected: '86.92', found: '100', ok: false },
    ],
  )
  assert.deepEqual(await brokenInvariants(db), ['costs.bills-conserve-money'])
})

test('an invoice that fails spoils no other, says why, and is read by a later run', async () => {
  const first = await connected({}, (provider) => {
    const invoiceItems = async (uuid: string) => (uuid === april.invoice_uuid ? [] : provider.invoiceItems(uuid))
    return syncNow({ edge, provider: { ...provider, invoiceItems }, onBillIssued })
  })
  assert.deepEqual(first.failed, [
    {
      external_id: april.invoice_uuid,
      detail: 'The invoice is over 86.92, and its 0 lines add up to 0. The next run tries again.',
    },
  ])
  const bills = await invoices()
  assert.deepEqual(
    bills.map((bill: InvoiceJson) => [bill.status, bill.last_error]),
    [
      ['announced', first.failed[0]?.detail],
      ['issued', null],
    ],
  )
  const second = await sync()
  assert.deepEqual([second.lines, second.invoices_unchanged, second.failed], [33, 1, []])
  assert.equal((await invoices())[0].last_error, null)
  await assertSound(costs)
})

test('a CSV that was cut between two rows is not taken for the bill', async () => {
  await runJob('costs.read-billing-history')
  const [{ id }] = await invoices()
  await connected({}, async (provider) => {
    const cut: DigitalOcean = {
      ...provider,
      invoiceItems: () => Promise.reject(unreadable()),
      invoiceCsv: async (uuid) => (await provider.invoiceCsv(uuid)).split('\n').slice(0, 9).join('\n'),
    }
    await assert.rejects(runJobOn(cut, 'costs.ingest-invoice', { provider_invoice_id: id }), /8 lines add up to/)
  })
  assert.equal((await invoices())[0].status, 'announced')
})

for (const [name, { faults, code }] of Object.entries<{ faults: Faults; code: string }>({
  'a refused token': { faults: { unauthorized: true }, code: 'provider/refused-token' },
  'too many requests': { faults: { too_many_requests: { count: 99, retry_after_s: 0 } }, code: 'provider/unavailable' },
  'a server error': { faults: { server_errors: 99 }, code: 'provider/unavailable' },
  'half a page': { faults: { cut_pages: 99 }, code: 'provider/unreadable-answer' },
  'an answer that never comes': { faults: { silent: 99 }, code: 'provider/unavailable' },
})) {
  test(`${name} fails each job with ${code}, loses nothing, and a later run completes`, async () => {
    await runJob('costs.read-billing-history')
    const [bill] = await invoices()
    const payload = { provider_invoice_id: bill.id }
    for (const job of ['costs.take-balance', 'costs.read-billing-history', 'costs.read-preview']) {
      await assert.rejects(runJob(job, {}, { faults }), (error) => error instanceof Problem && error.code === code)
    }
    await assert.rejects(runJob('costs.ingest-invoice', payload, { faults }), Problem)
    const failed = await call('GET', `/billing/provider-invoices/${bill.id}`)
    assert.equal(failed.body.data.status, 'announced')
    assert.match(failed.body.data.last_error, /v2\/customers|cannot be read at row/)
    assert.doesNotMatch(failed.text, /dop_v1/)
    assert.equal((await runJob('costs.ingest-invoice', payload)).detail, 'issued, 33 lines')
    assert.equal((await runJob('costs.take-balance')).outcome, 'done')
    await assertSound(costs)
  })
}

test('without a token every job that asks the provider is skipped and says so', async () => {
  for (const job of costsJobs(edge, { provider: null, onBillIssued })) {
    if (job.name === 'costs.share-by-usage') continue
    const outcome = await job.handle({}, { finish: (effect) => db.transaction(effect) })
    assert.deepEqual(outcome, { outcome: 'skipped', detail: 'DIGITALOCEAN_TOKEN is not set' })
  }
})

test('a job for an invoice that is not there has nothing to do', async () => {
  const outcome = await runJob('costs.ingest-invoice', { provider_invoice_id: '00000000-0000-4000-8000-000000000000' })
  assert.equal(outcome.detail, 'there is nothing to read')
})

type Connection = { account?: Account; faults?: Faults }

async function connected<T>(
  { account: served = account, faults = {} }: Connection,
  work: (provider: DigitalOcean) => Promise<T>,
): Promise<T> {
  const standIn = await startDigitalOceanStandIn({ token: TOKEN, account: served, faults })
  try {
    const impatient = { timeout_ms: IMPATIENCE_MS, backoff_ms: 1, max_retries: 1 }
    return await work(createDigitalOcean({ token: TOKEN, api_url: standIn.url, ...impatient }))
  } finally {
    await standIn.close()
  }
}

function sync() {
  return connected({}, (provider) => syncNow({ edge, provider, onBillIssued }))
}

function runJob(name: string, payload: object = {}, connection: Connection = {}) {
  return connected(connection, (provider) => runJobOn(provider, name, payload))
}

async function runJobOn(provider: DigitalOcean, name: string, payload: object) {
  const job = costsJobs(edge, { provider, onBillIssued }).find((one) => one.name === name)
  assert.ok(job)
  return job.handle(payload, { finish: (effect) => db.transaction(effect) })
}

function unreadable(): OutboundError {
  const failure = { status: 200, request_id: null, method: 'GET', path: '/', attempts: 1 }
  return new OutboundError({ ...failure, reason: 'invalid_response' }, 'the answer is wrong')
}

/** Without the preview. */
async function invoices() {
  const { body } = await call('GET', '/billing/provider-invoices?limit=200')
  return body.data.filter((bill: InvoiceJson) => bill.status !== 'preview')
}

async function previews() {
  return (await call('GET', '/billing/provider-invoices?status=preview')).body.data
}

function enqueuedIngests(ids: readonly string[]) {
  return ids.map((provider_invoice_id) => ({ job: 'costs.ingest-invoice', payload: { provider_invoice_id } }))
}

function unreachable(): DigitalOcean {
  return createDigitalOcean({ token: TOKEN, fetch: () => Promise.reject(new Error('unreachable')) })
}
