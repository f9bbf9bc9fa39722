import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { textOf, type WhatIf } from './what-if.ts'

const AMOUNTS = {
  revenue_now_cents: 5_000n,
  revenue_then_cents: 5_000n,
  difference_cents: 0n,
  cost_cents: null,
  margin_now_cents: null,
  margin_then_cents: null,
  coverage: '0',
}

test('every tenant is named: who pays less, who pays more and who pays the same', () => {
  const text = textOf(answerWith([tenant('banksia', 'winner'), tenant('mulga', 'same'), tenant('wattle', 'loser')]))
  for (const line of ['1 would have paid less', '1 would have paid more', '1 would have paid the same']) {
    assert.ok(text.includes(line), line)
  }
  for (const name of ['banksia', 'mulga', 'wattle']) assert.match(text, new RegExp(`^${name} `, 'm'))
})

test('a long list says how many it leaves out', () => {
  const text = textOf(answerWith(Array.from({ length: 23 }, (_, index) => tenant(`t_${index}`, 'same'))))
  assert.match(text, /23 would have paid the same/)
  assert.match(text, /and 3 more: see --json/)
})

test('the report fits 80 columns, whatever the amounts', (t) => {
  const { columns } = process.stdout
  t.after(() => void (process.stdout.columns = columns))
  process.stdout.columns = 80
  const large = { revenue_now_cents: 123_456_789_01n, revenue_then_cents: 123_456_789_02n, difference_cents: 1n }
  for (const amounts of [AMOUNTS, large, { ...large, cost_cents: 1_234_567_89n, margin_now_cents: 98_765_432_10n }]) {
    const tenants = [{ ...tenant('banksia-collective', 'winner'), legal_name: 'Banksia Collective', ...amounts }]
    for (const line of textOf(answerWith(tenants)).split('\n')) {
      assert.ok(stripVTControlCharacters(line).length <= 80, line)
    }
  }
})

function tenant(tenant_id: string, outcome: WhatIf['tenants'][number]['outcome']): WhatIf['tenants'][number] {
  return { ...AMOUNTS, tenant_id, legal_name: '', outcome }
}

function answerWith(tenants: WhatIf['tenants']): WhatIf {
  const count = (outcome: string): number => tenants.filter((one) => one.outcome === outcome).length
  return {
    plan_code: 'studio',
    plan_version: 2,
    from: '2026-01',
    to: '2026-04',
    currency: 'AUD',
    tenants,
    totals: { ...AMOUNTS, tenants: tenants.length, winners: count('winner'), losers: count('loser') },
    left_out: [],
    hints: [],
  }
}
