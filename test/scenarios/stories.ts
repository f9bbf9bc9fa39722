import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '../../src/platform/db.ts'
import { type Books, openBooks } from './books.ts'

/** Stories told over HTTP alone. They hold on every database the program runs on. */
export function tellStories(freshDatabase: () => Promise<Database>): void {
  const story = (promise: string, tell: (books: Books) => Promise<void>, now = '2026-05-02T06:00:00Z'): void => {
    test(promise, async () => {
      const books = await openBooks(await freshDatabase(), now)
      try {
        await tell(books)
        assert.deepEqual(await books.broken(), [])
      } finally {
        await books.close()
      }
    })
  }

  story('three droplets through April on Studio with storage come to 70.64, and to margin', async (books) => {
    const deployment_id = await enterStudio(books)
    await books.sync()
    assert.deepEqual((await books.ok('GET', `/deployments/${deployment_id}/usage?period=2026-04`)).meters, [
      { meter: 'droplet_hours', unit: 'hour', quantity: '2160' },
    ])

    assert.deepEqual(pick(await books.ok('POST', '/invoices/rollup', { period: '2026-04' }), ['created', 'parked']), {
      created: 1,
      parked: [],
    })
    const invoice = await onlyInvoice(books)
    assert.deepEqual(amounts(invoice), [
      ['plan_base', 5000],
      ['addon', 750],
      ['overage', 672],
      ['tax', 642],
    ])
    assert.deepEqual(pick(invoice, ['subtotal_cents', 'tax_cents', 'total_cents']), {
      subtotal_cents: 6422,
      tax_cents: 642,
      total_cents: 7064,
    })

    const { rows, totals } = await books.ok('GET', '/margin?period=2026-04&group_by=deployment')
    assert.deepEqual(
      rows.map((row: any) => pick(row, ['tenant_id', 'revenue_cents', 'cost_cents', 'margin_cents', 'coverage'])),
      [{ tenant_id: 'boab', revenue_cents: 6422, cost_cents: 1200, margin_cents: 5222, coverage: '1' }],
    )
    assert.equal(totals.bill_total_cents, 8692)
  })

  story('the April bill comes in whole, balances, and is pushed once however often', async (books) => {
    await enterStudio(books)
    await books.sync()
    const bill = await onlyBill(books)
    assert.deepEqual(pick(bill, ['amount', 'tax_amount', 'line_count', 'balanced', 'status']), {
      amount: '86.92',
      tax_amount: '7.9',
      line_count: 33,
      balanced: true,
      status: 'issued',
    })
    const lines = (await books.call('GET', '/billing/cost-lines?period=2026-04&limit=200')).body.data
    assert.equal(lines.length, 33)
    assert.ok(lines.every((line: any) => line.match_reason.length > 0))

    await books.push()
    const document = () => books.finance.documents().find((doc) => doc.payload.external_id === bill.external_id)
    assert.deepEqual(document()?.actions, { created: 1, updated: 0 })
    assert.deepEqual(pick(document()?.payload, ['amount_net_minor', 'amount_tax_minor', 'amount_gross_minor']), {
      amount_net_minor: 7902,
      amount_tax_minor: 790,
      amount_gross_minor: 8692,
    })

    await books.sync()
    await books.push()
    assert.deepEqual(document()?.actions, { created: 1, updated: 0 })

    const push = (await books.call('GET', '/finance/pushes?limit=200')).body.data.find(
      (row: any) => row.external_id === bill.external_id,
    )
    await books.ok('POST', `/finance/pushes/${push.id}/retry`, {})
    await books.push()
    assert.deepEqual(document()?.actions, { created: 1, updated: 1 })
    assert.equal((await books.call('GET', '/billing/cost-lines?period=2026-04&limit=200')).body.data.length, 33)
  })

  story(
    'a second rollup creates nothing, force rebuilds the draft, an issued invoice stays as it is',
    async (books) => {
      await enterStudio(books)
      await books.sync()
      const rollup = (body: object = {}) => books.ok('POST', '/invoices/rollup', { period: '2026-04', ...body })
      assert.equal((await rollup()).created, 1)
      assert.deepEqual(pick(await rollup(), ['created', 'rebuilt', 'skipped']), { created: 0, rebuilt: 0, skipped: 1 })
      assert.deepEqual(pick(await rollup({ force: true }), ['created', 'rebuilt', 'skipped']), {
        created: 0,
        rebuilt: 1,
        skipped: 0,
      })

      const draft = await onlyInvoice(books)
      const issued = await books.ok('POST', `/invoices/${draft.id}/issue`, {})
      assert.equal(issued.number, 'INV-2026-000001')
      assert.deepEqual(pick(await rollup({ force: true }), ['created', 'rebuilt', 'skipped']), {
        created: 0,
        rebuilt: 0,
        skipped: 1,
      })
      assert.equal(
        (await books.call('POST', `/invoices/${draft.id}/issue`, { body: {} })).body.code,
        'invoicing/already-issued',
      )

      await books.push()
      const sent = books.finance.documents().filter((doc) => doc.type === 'tenant_invoice')
      assert.deepEqual(
        sent.map((doc) => [doc.payload.external_id, doc.payload.amount_gross_minor]),
        [[draft.id, 7064]],
      )
      await books.ok('POST', `/invoices/${draft.id}/void`, {})
      assert.equal((await rollup()).created, 1)
    },
  )

  story(
    'priced LLM usage is billed once to the cent; late usage comes as an adjustment on the next invoice',
    async (books) => {
      const deployment_id = await enterStudio(books)
      const event = (id: string, charge: string | null, occurred_at: string) => ({
        gateway_id: 'gw',
        gateway_request_id: id,
        occurred_at,
        tenant_id: 'boab',
        deployment_id,
        provider: 'anthropic',
        model: 'm',
        usage: { input_tokens: 1 },
        charge,
        currency: 'USD',
      })
      const send = (body: object) => books.call('POST', '/integrations/llm-usage', { body, as: 'gateway' })
      assert.equal((await send(event('a', '0.0123456789', '2026-04-03T10:00:00Z'))).status, 201)
      assert.equal((await send(event('a', '0.0123456789', '2026-04-03T10:00:00Z'))).status, 200)
      assert.equal((await send(event('a', '0.99', '2026-04-03T10:00:00Z'))).status, 409)
      assert.equal((await send(event('b', '0.0326543211', '2026-04-04T10:00:00Z'))).status, 201)
      assert.equal((await send(event('c', null, '2026-04-05T10:00:00Z'))).status, 202)

      await books.sync()
      await books.ok('POST', '/invoices/rollup', { period: '2026-04' })
      const april = await onlyInvoice(books)
      const llm = april.lines.find((line: any) => line.kind === 'llm_usage')
      assert.deepEqual(pick(llm, ['amount_precise', 'amount_cents', 'quantity']), {
        amount_precise: '0.045',
        amount_cents: 5,
        quantity: '2',
      })
      await books.ok('POST', `/invoices/${april.id}/issue`, {})

      books.clock.set('2026-05-20T00:00:00Z')
      assert.equal((await send(event('late', '0.5', '2026-04-30T23:00:00Z'))).status, 201)
      books.clock.set('2026-06-02T00:00:00Z')
      await books.ok('POST', '/invoices/rollup', { period: '2026-05' })
      const may = await onlyInvoice(books, '2026-05')
      const adjustments = may.lines.filter((line: any) => line.kind === 'adjustment')
      assert.deepEqual(
        adjustments.map((line: any) => [line.amount_cents, line.service_period]),
        [[50, { start: '2026-04-01', end: '2026-05-01' }]],
      )
      await books.ok('POST', `/invoices/${may.id}/issue`, {})
      books.clock.set('2026-07-02T00:00:00Z')
      await books.ok('POST', '/invoices/rollup', { period: '2026-06' })
      const june = await onlyInvoice(books, '2026-06')
      assert.deepEqual(
        june.lines.filter((line: any) => line.kind === 'adjustment'),
        [],
      )
    },
  )

  story(
    'a plan change, a pause and a cancellation in one month are billed by their days',
    async (books) => {
      const deployment_id = await enterStudio(books, [])
      await books.ok('POST', '/plans', { code: 'small', name: 'Small' })
      await books.ok('POST', '/plans/small/versions', {
        currency: 'USD',
        interval: 'month',
        base_price_cents: 3000,
        proration: 'daily',
        charges: [],
      })
      await books.ok('POST', '/plans/small/versions/1/publish', {})
      const { subscription } = await books.ok('GET', `/deployments/${deployment_id}`)
      books.clock.set('2026-04-11T00:00:00Z')
      await books.ok('POST', `/subscriptions/${subscription.id}/plan-change`, { plan_code: 'small' })
      books.clock.set('2026-04-16T00:00:00Z')
      await books.ok('POST', `/deployments/${deployment_id}/transition`, { to: 'paused', reason: 'holiday' })
      books.clock.set('2026-04-21T00:00:00Z')
      await books.ok('POST', `/deployments/${deployment_id}/transition`, { to: 'active', reason: 'back' })
      books.clock.set('2026-04-26T00:00:00Z')
      await books.ok('POST', `/deployments/${deployment_id}/transition`, { to: 'cancelled', reason: 'moving away' })
      books.clock.set('2026-05-02T00:00:00Z')
      await books.ok('POST', '/invoices/rollup', { period: '2026-04' })
      const invoice = await onlyInvoice(books)
      // 50.00 × 10/30; 30.00 × 5/30 before the pause and again after it.
      assert.deepEqual(amounts(invoice), [
        ['plan_base', 1667],
        ['plan_base', 500],
        ['plan_base', 500],
        ['tax', 267],
      ])
    },
    '2026-04-01T00:00:00Z',
  )

  story(
    'what turns out to be another tenant’s is credited to the one that was billed, and its cost moves',
    async (books) => {
      const deployment_id = await enterStudio(books)
      await enterTenant(books, 'kelpie')
      await books.sync()
      books.clock.set('2026-05-03T00:00:00Z')
      await books.ok('POST', '/invoices/rollup', { period: '2026-04', tenant_id: 'boab' })
      const april = await onlyInvoice(books)
      assert.deepEqual(amounts(april).at(2), ['overage', 672])
      await books.ok('POST', `/invoices/${april.id}/issue`, {})

      books.clock.set('2026-05-04T00:00:00Z')
      const [kelpie] = await books.ok('GET', '/deployments?tenant_id=kelpie')
      const [resource] = await books.ok('GET', `/resources?deployment_id=${deployment_id}&kind=droplet`)
      const body = { deployment_id: kelpie.id, from: '2026-04-01T00:00:00Z' }
      await books.ok('POST', `/resources/${resource.id}/assignment`, body)
      const lines = await books.ok('GET', '/billing/cost-lines?period=2026-04&kind=droplet&limit=200')
      const line = lines.find((each: any) => each.resource_id === resource.id)
      assert.equal(line.tenant_id, 'kelpie')

      books.clock.set('2026-06-02T00:00:00Z')
      await books.ok('POST', '/invoices/rollup', { period: '2026-05', tenant_id: 'boab' })
      const may = await onlyInvoice(books, '2026-05')
      assert.deepEqual(
        amounts(may).filter(([kind]) => kind === 'adjustment'),
        [['adjustment', -672]],
      )
    },
  )

  story('a tenant sees its own and cannot tell what belongs to others from what does not exist', async (books) => {
    const deployment_id = await enterStudio(books)
    await books.sync()
    await books.ok('POST', '/invoices/rollup', { period: '2026-04' })
    await enterTenant(books, 'kelpie')
    const draft = await onlyInvoice(books)
    const as = (tenant: string) => ({ as: { tenant } })

    assert.equal((await books.call('GET', `/deployments/${deployment_id}`, as('boab'))).status, 200)
    const absent = await books.call('GET', '/deployments/00000000-0000-4000-8000-000000000000', as('kelpie'))
    const others = await books.call('GET', `/deployments/${deployment_id}`, as('kelpie'))
    assert.deepEqual([others.status, others.body], [404, absent.body])
    assert.equal((await books.call('GET', '/tenants/boab', as('kelpie'))).status, 404)

    assert.equal(
      (await books.call('GET', `/invoices/${draft.id}`, as('boab'))).status,
      404,
      'a draft is not for the tenant',
    )
    await books.ok('POST', `/invoices/${draft.id}/issue`, {})
    assert.equal((await books.call('GET', `/invoices/${draft.id}`, as('boab'))).status, 200)
    assert.equal((await books.call('GET', `/invoices/${draft.id}`, as('kelpie'))).status, 404)
    assert.deepEqual((await books.call('GET', '/invoices', as('kelpie'))).body.data, [])
    for (const path of [
      '/margin?period=2026-04&group_by=tenant',
      '/billing/cost-lines?period=2026-04',
      '/resources',
      '/finance/pushes',
    ]) {
      assert.equal((await books.call('GET', path, as('boab'))).status, 403, path)
    }
  })

  story('one tenant’s failure parks that tenant; the others are invoiced', async (books) => {
    await enterStudio(books)
    const broken_id = await enterTenant(books, 'kelpie')
    await books.app.edge.db.transaction((tx) =>
      // What no route lets in: a zone that the engine cannot compute with.
      tx.updateTable('tenants.tenant').set({ timezone: 'Nowhere/Land' }).where('id', '=', broken_id).execute(),
    )
    await books.sync()
    const result = await books.ok('POST', '/invoices/rollup', { period: '2026-04' })
    assert.equal(result.created, 1)
    assert.deepEqual(
      result.parked.map((parked: any) => parked.tenant_id),
      ['kelpie'],
    )
  })
}

async function enterTenant(books: Books, id: string): Promise<string> {
  await books.ok('POST', '/tenants', {
    id,
    legal_name: `${id} Pty Ltd`,
    country: 'AU',
    currency: 'USD',
    timezone: 'UTC',
    tax: { treatment: 'taxable', name: 'GST', rate: '0.10' },
  })
  const { id: deployment_id } = await books.ok('POST', '/deployments', {
    tenant_id: id,
    slug: 'site',
    display_name: id,
  })
  await books.ok('POST', `/deployments/${deployment_id}/subscribe`, { plan_code: 'studio', start_date: '2026-04-01' })
  return id
}

/** Returns the deployment's id. */
async function enterStudio(books: Books, addons: object[] = [{ code: 'storage_50gb' }]): Promise<string> {
  await books.ok('POST', '/tenants', {
    id: 'boab',
    legal_name: 'Boab Pty Ltd',
    country: 'AU',
    currency: 'USD',
    timezone: 'UTC',
    tax: { treatment: 'taxable', name: 'GST', rate: '0.10' },
  })
  await books.ok('POST', '/plans', { code: 'studio', name: 'Studio' })
  await books.ok('POST', '/plans/studio/versions', {
    currency: 'USD',
    interval: 'month',
    base_price_cents: 5000,
    proration: 'daily',
    charges: [{ meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01', included_quantity: '1488' }],
  })
  await books.ok('POST', '/plans/studio/versions/1/publish', {})
  await books.ok('POST', '/addons', {
    code: 'storage_50gb',
    name: 'Storage 50 GB',
    price_cents: 750,
    currency: 'USD',
    quantity: '50',
    unit: 'GB',
  })
  const { id } = await books.ok('POST', '/deployments', { tenant_id: 'boab', slug: 'studio', display_name: 'Studio' })
  await books.ok('POST', `/deployments/${id}/subscribe`, { plan_code: 'studio', addons, start_date: '2026-04-01' })
  return id
}

async function onlyInvoice(books: Books, period = '2026-04'): Promise<any> {
  const { data } = (await books.call('GET', `/invoices?period=${period}`)).body
  const live = data.filter((invoice: any) => invoice.status !== 'void')
  assert.equal(live.length, 1)
  return books.ok('GET', `/invoices/${live[0].id}`)
}

async function onlyBill(books: Books, period = '2026-04'): Promise<any> {
  const { data } = (await books.call('GET', `/billing/provider-invoices?period=${period}`)).body
  assert.equal(data.length, 1)
  return books.ok('GET', `/billing/provider-invoices/${data[0].id}`)
}

function amounts(invoice: { lines: { kind: string; amount_cents: number }[] }): [string, number][] {
  return invoice.lines.map((line) => [line.kind, line.amount_cents])
}

function pick(value: any, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, value?.[name]]))
}
