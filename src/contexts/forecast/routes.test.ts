import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Account, demoAccount } from '../../../demo/digitalocean/account.ts'
import { startDigitalOceanStandIn } from '../../../demo/digitalocean/server.ts'
import { testHttp } from '../../../test/support/http.ts'
import { decimal, plain, sum } from '../../kernel/decimal.ts'
import { createDigitalOcean } from '../../providers/digitalocean/index.ts'
import { syncNow } from '../costs/index.ts'
import { forecastRoutes } from './index.ts'

const SECOND_BILL = '01890000-0000-7000-8000-000000000002'
const TOKEN = 'dop_v1_test'
const whole = demoAccount()
/** The last two of its bills are enough. */
const account: Account = { ...whole, invoices: whole.invoices.slice(0, 2), billing_history: [] }

const { call, close, db, edge } = await testHttp((edge) => [forecastRoutes(edge)])
after(close)
before(async () => {
  const standIn = await startDigitalOceanStandIn({ token: TOKEN, account })
  const provider = createDigitalOcean({ token: TOKEN, api_url: standIn.url })
  const { failed } = await syncNow({ edge, provider, onBillIssued: async () => {} })
  await standIn.close()
  assert.deepEqual(failed, [])
})

test('an issued bill is compared per resource; what is on one side only is listed', async () => {
  const { rows, bill, ...totals } = await expected('period=2026-04&limit=200')
  assert.deepEqual([bill.status, bill.amount, bill.tax_amount, bill.credit_amount], ['issued', '86.92', '7.9', '-2'])
  assert.deepEqual(sumOfRows(rows, 'billed'), bill.charges_amount)
  assert.deepEqual(sumOfRows(rows, 'difference'), totals.difference)
  assert.deepEqual([totals.so_far, totals.unpriced], [totals.month_end, 0])
  const of = (kind: string, name: RegExp) =>
    rows
      .filter((row: Row) => row.kind === kind && name.test(row.name))
      .map(({ status, month_end, billed, difference }: Row) => [status, month_end, billed, difference])
  assert.deepEqual(of('droplet', /^studio-web-1$/), [['as_expected', '4', '4', '0']])
  // It was resized before the inventory was first read.
  assert.deepEqual(of('droplet', /^catalogue-app-1$/), [['differs', '6', '5.54', '-0.46']])
  assert.deepEqual(of('droplet', /^newsroom-train-1$/), [['not_expected', '0', '2.66', '2.66']])
  assert.deepEqual(of('backup', /^shop-app-1$/), [['as_expected', '1.2', '1.2', '0']])
  assert.deepEqual(of('snapshot', /^build-runner$/), [['as_expected', '0.61', '0.61', '0']])
  assert.deepEqual(of('database', /./), [['as_expected', '5.41', '5.41', '0']])
  assert.deepEqual(of('load_balancer', /./), [['as_expected', '3', '3', '0']])
  assert.deepEqual(of('spaces', /./), [['as_expected', '5', '5', '0']])
  assert.deepEqual(of('unclassified', /./), [['not_expected', '0', '4.17', '4.17']])
})

test('differences come first, the largest before the others', async () => {
  const { rows } = await expected('period=2026-04&limit=200')
  const sizes = rows.map((row: Row) => decimal(row.difference ?? '0').abs())
  assert.ok(sizes.every((size: (typeof sizes)[number], index: number) => index === 0 || size.lte(sizes[index - 1])))
})

test('a running month is expected up to now and to its end, beside preview and balance', async () => {
  const { rows, bill, balance, ...totals } = await expected('period=2026-05&limit=200')
  assert.deepEqual([bill.status, totals.difference, totals.as_of], ['preview', null, '2026-05-02T06:00:00Z'])
  assert.equal(balance.month_to_date_usage, bill.amount)
  assert.ok(decimal(totals.so_far).lt(decimal(totals.month_end)))
  assert.ok(rows.every((row: Row) => row.status === 'open' && row.difference === null))
  const studio = rows.find((row: Row) => row.name === 'studio-web-1')
  assert.deepEqual([studio.so_far, studio.month_end, studio.billed], ['0.18', '4', '0.18'])
})

test('the rows are filtered by status, and paged', async () => {
  const different = await expected('period=2026-04&status=differs')
  assert.ok(different.rows.length > 0 && different.rows.every((row: Row) => row.status === 'differs'))
  const all = (await expected('period=2026-04&limit=200')).rows
  const first = await call('GET', '/billing/expected?period=2026-04&limit=10')
  const rest = await call('GET', `/billing/expected?period=2026-04&limit=200&cursor=${first.body.next_cursor}`)
  assert.deepEqual([...first.body.data.rows, ...rest.body.data.rows], all)
  assert.equal(rest.body.next_cursor, null)
})

test('nothing is expected of a month of which nothing is known, which is not 0', async () => {
  const { so_far, month_end, bill, balance, difference, rows } = await expected('period=2019-01')
  assert.deepEqual([so_far, month_end, bill, balance, difference, rows], [null, null, null, null, null, []])
})

test('a resource without a known price is listed, and in no sum', async () => {
  const before = await expected('period=2026-05&limit=200')
  await db.script(`
    with odd as (
      insert into inventory.resource (id, provider, kind, external_id, name, tags, born_at, first_seen_at, last_seen_at)
      values (gen_random_uuid(), 'digitalocean', 'database', 'odd', 'odd', '{}', '2026-05-01', '2026-05-02', '2026-05-02')
      returning id
    )
    insert into inventory.span (id, resource_id, starts_at, name, size, size_gb, changed_at)
    select gen_random_uuid(), id, '2026-05-01', 'odd', 'db-odd x1', 10, '2026-05-02' from odd`)
  const after = await expected('period=2026-05&limit=200')
  assert.deepEqual([after.month_end, after.unpriced], [before.month_end, 1])
  const [odd] = after.rows
  assert.deepEqual(
    [odd.name, odd.status, odd.month_end, odd.unpriced],
    ['odd', 'unpriced', null, ['database db-odd x1']],
  )
})

test('several issued bills of a month are compared as one', async () => {
  const { bill, difference } = await expected('period=2026-04&limit=200')
  await db.script(`
    insert into costs.provider_invoice (id, provider, external_id, invoice_number, status, period_start, period_end,
      currency, amount, lines_amount, tax_amount, line_count, content_hash, read_from, incomplete_readings, announced_at,
      ingested_at)
    values ('${SECOND_BILL}', 'digitalocean', 'second', 'second', 'preview', '2026-04-01', '2026-05-01',
      'USD', 7, 7, 0, 1, 'second', 'upload', 0, '2026-05-02', '2026-05-02');
    insert into costs.cost_line (id, provider, provider_invoice_id, position, kind, product, description, currency, amount,
      charge_category, service_category, service_name, charge_start, charge_end, match_status, match_reason)
    values (gen_random_uuid(), 'digitalocean', '${SECOND_BILL}', 0, 'support', 'Support', 'Support', 'USD', 7,
      'Purchase', 'Other', 'Support', '2026-04-01', '2026-05-01', 'unmatched', 'a test');
    update costs.provider_invoice set status = 'issued' where id = '${SECOND_BILL}'`)
  const both = await expected('period=2026-04&limit=200')
  assert.deepEqual([both.bill.status, both.bill.provider_invoice_ids.length], ['issued', 2])
  assert.ok(both.bill.invoice_numbers.includes('second'))
  for (const [known, with_second] of [
    [bill.amount, both.bill.amount],
    [bill.charges_amount, both.bill.charges_amount],
    [difference, both.difference],
  ]) {
    assert.equal(with_second, plain(decimal(known).plus(decimal('7'))))
  }
  // What the account subscribes to goes on, whichever bill names it.
  const { rows } = await expected('period=2026-05&limit=200')
  assert.ok(rows.some((row: Row) => row.name === 'Support'))
})

test('all rows come in one answer where they are asked for', async () => {
  const path = '/billing/expected?period=2026-04&limit=1'
  const { body: page } = await call('GET', path)
  assert.deepEqual([page.data.rows.length, typeof page.next_cursor], [1, 'string'])
  const { body: whole } = await call('GET', `${path}&whole=true`)
  assert.ok(whole.data.rows.length > 10)
  assert.deepEqual([whole.data.rows[0], whole.next_cursor], [page.data.rows[0], null])
})

test('a kind that was not listed is named, and what is billed of it is not compared with 0', async () => {
  await db.script(`
    update inventory.listing set listed_at = null, last_error = 'refused', scope = 'app:read' where kind = 'app'`)
  const { not_listed, month_end } = await expected('period=2026-04')
  assert.deepEqual(not_listed, [{ kind: 'app', listed_at: null, scope: 'app:read' }])
  assert.ok(month_end !== null)
})

test('each call is refused to whom it is not for, and each wrong input has its status', async () => {
  const path = '/billing/expected?period=2026-04'
  assert.equal((await call('GET', path, { as: 'nobody' })).status, 401)
  assert.equal((await call('GET', path, { as: { tenant: 'boab' } })).status, 403)
  assert.equal((await call('GET', '/billing/expected')).status, 422)
  assert.equal((await call('GET', '/billing/expected?period=2026-13')).status, 422)
  assert.equal((await call('GET', `${path}&status=odd`)).status, 422)
  assert.equal((await call('GET', `${path}&cursor=x`)).status, 422)
})

type Row = {
  kind: string
  name: string
  status: string
  month_end: string | null
  billed: string | null
  difference: string | null
}

async function expected(query: string) {
  const { status, body } = await call('GET', `/billing/expected?${query}`)
  assert.equal(status, 200)
  return body.data
}

function sumOfRows(rows: readonly Row[], field: 'billed' | 'difference'): string {
  return plain(sum(rows.map((row) => decimal(row[field] ?? '0'))))
}
