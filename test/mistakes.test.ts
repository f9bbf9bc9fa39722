import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Books, openBooks } from './scenarios/books.ts'
import { memoryDatabase } from './support/database.ts'
import type { CallOptions } from './support/http.ts'

/**
 * Mistakes that people make, and what they are told: the place, what was found, what was expected. A row is a mistake;
 * `says` are words of its answer, and what no answer may say holds for all of them.
 */
type Mistake = {
  mistake: string
  call: ['GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', string, unknown?, CallOptions?]
  status?: number
  /** The path of the fault; where there is none, the words are those of the detail. */
  at?: string
  says: (string | RegExp)[]
}

/** Regular expressions, and what a validator calls types. */
const NEVER_SAID =
  /\^|\\\\d|\[0-9|\[a-z|must match|must NOT|must be (?:string|integer|object|array|number|boolean)\b|No such object/

const TENANT = { id: 'elbe', legal_name: 'Elbe Verlag', country: 'AU', currency: 'AUD' }
const PLAN = { currency: 'AUD', base_price_cents: 5_000 }
const MAY = { start: '2026-05-01', end: '2026-06-01' }
const tenant = (changes: object): Mistake['call'] => ['POST', '/tenants', { ...TENANT, id: 'other', ...changes }]
const version = (changes: object): Mistake['call'] => ['POST', '/plans/studio/versions', { ...PLAN, ...changes }]
const charge = (terms: object): Mistake['call'] => version({ charges: [{ meter: 'api_calls', ...terms }] })
/** Faults of charges are those that a quote names, as publishing would. */
const quoted = (terms: object): Mistake['call'] => [
  'POST',
  '/quotes',
  { plan: { ...PLAN, charges: [{ meter: 'api_calls', ...terms }] }, period: MAY },
]
const tiers = (...all: (string | null)[]): Mistake['call'] =>
  quoted({ model: 'graduated', tiers: all.map((up_to) => ({ up_to, unit_price: '1' })) })
const order = (changes: object): Mistake['call'] => [
  'POST',
  '/deployments/elbe~free/subscribe',
  { plan_code: 'studio', ...changes },
]
const add = (changes: object): Mistake['call'] => [
  'POST',
  '/subscriptions/{subscription}/addons',
  { code: 'backup', ...changes },
]
const rollup = (period: unknown): Mistake['call'] => ['POST', '/invoices/rollup', { period }]
const raw = (body: string, type: string): Mistake['call'] => [
  'POST',
  '/tenants',
  body,
  { headers: { 'content-type': type } },
]

const MISTAKES: readonly Mistake[] = [
  {
    mistake: 'a blank in a tenant id',
    call: tenant({ id: 'my tenant' }),
    at: 'id',
    says: ['my-tenant', '"my tenant"', 'letters'],
  },
  {
    mistake: 'a slug in capitals',
    call: ['POST', '/deployments', { tenant_id: 'elbe', slug: 'My App' }],
    at: 'slug',
    says: ['my-app', '"My App"'],
  },
  {
    mistake: 'a tax rate as a number',
    call: tenant({ tax: { treatment: 'taxable', rate: 0.1 } }),
    at: 'tax/rate',
    says: ['as text', 'the number 0.1', '"0.1"'],
  },
  {
    mistake: 'a tax rate in percent',
    call: tenant({ tax: { treatment: 'taxable', rate: '10' } }),
    at: 'tax/rate',
    says: ['fraction', '10 % is "0.1"'],
  },
  {
    mistake: 'a price as a number',
    call: charge({ model: 'per_unit', unit_price: 0.01 }),
    at: 'charges/0/unit_price',
    says: ['as text', '"0.01"'],
  },
  {
    mistake: 'a comma in a price',
    call: charge({ model: 'per_unit', unit_price: '0,01' }),
    at: 'charges/0/unit_price',
    says: ['a point, not a comma', '"0.01"'],
  },
  {
    mistake: 'half a cent',
    call: version({ base_price_cents: 50.5 }),
    at: 'base_price_cents',
    says: ['whole minor units', '5050 for 50.50', '50.5'],
  },
  {
    mistake: 'cents as text',
    call: version({ base_price_cents: '5000' }),
    at: 'base_price_cents',
    says: ['as a number', '"5000"', 'without quotes'],
  },
  {
    mistake: 'a price for its cents',
    call: version({ base_price: '50.00' }),
    at: 'base_price',
    says: ['base_price_cents', 'minor units'],
  },
  {
    mistake: 'a meter of another spelling',
    call: ['POST', '/plans/mistyped/versions/1/publish'],
    at: 'charges/0/meter',
    says: ['no meter api-call', 'api_calls'],
  },
  {
    mistake: 'tiered as a model',
    call: charge({ model: 'tiered', tiers: [] }),
    at: 'charges/0/model',
    says: ['per_unit', 'graduated', 'volume', 'package', 'percentage', '"tiered"'],
  },
  {
    mistake: 'tiers out of order',
    call: tiers('100', '50', null),
    at: 'plan/charges/0/tiers/1/up_to',
    says: ['"100"', '"50"', 'above'],
  },
  { mistake: 'two open ends', call: tiers(null, null), at: 'plan/charges/0/tiers/0/up_to', says: ['last tier only'] },
  {
    mistake: 'no open end',
    call: tiers('100'),
    at: 'plan/charges/0/tiers/0/up_to',
    says: ['null', 'last tier', '"100"'],
  },
  { mistake: 'no tiers', call: tiers(), at: 'plan/charges/0/tiers', says: ['at least one', 'unit_price'] },
  {
    mistake: 'a package without its size',
    call: charge({ model: 'package', package_price: '1' }),
    at: 'charges/0/package_size',
    says: ['required'],
  },
  {
    mistake: 'a percentage in percent',
    call: quoted({ model: 'percentage', rate: '2.9' }),
    at: 'plan/charges/0/rate',
    says: ['fraction', '"0.029"', '"2.9"'],
  },
  {
    mistake: 'a change of what is published',
    call: ['PUT', '/plans/studio/versions/1', PLAN],
    status: 409,
    says: ['never changes', 'POST /plans/studio/versions'],
  },
  {
    mistake: 'a draft that is sold',
    call: order({ plan_code: 'drafted' }),
    says: ['POST /plans/drafted/versions/1/publish'],
  },
  {
    mistake: 'a plan that does not exist',
    call: order({ plan_code: 'stduio' }),
    at: 'plan_code',
    says: ['no plan stduio', 'studio'],
  },
  { mistake: 'a plan in another currency', call: order({ plan_code: 'euro' }), at: 'plan_code', says: ['EUR', 'AUD'] },
  {
    mistake: 'a second subscription',
    call: ['POST', '/deployments/elbe~verlag/subscribe', { plan_code: 'studio' }],
    status: 409,
    says: ['Change or cancel subscription'],
  },
  ...['01/05/2026', '2026-05', '2026-05-01T00:00:00Z'].map((start_date): Mistake => ({
    mistake: `${start_date} as a date`,
    call: order({ start_date }),
    at: 'start_date',
    says: ['2026-04-01', `"${start_date}"`],
  })),
  {
    mistake: 'a day that there is not',
    call: order({ start_date: '2026-02-30' }),
    at: 'start_date',
    says: ['no such day', '"2026-02-30"'],
  },
  {
    mistake: 'an end before the start',
    call: ['POST', '/subscriptions/{subscription}/cancel', { end_date: '2026-01-01' }],
    at: 'end_date',
    says: ['2026-04-01'],
  },
  {
    mistake: 'an add-on by its name',
    call: add({ code: 'Daily backup' }),
    at: 'code',
    says: ['Daily backup', 'backup'],
  },
  ...['0', '-1', 2].map((quantity): Mistake => ({
    mistake: `${JSON.stringify(quantity)} of an add-on`,
    call: add({ quantity }),
    at: 'quantity',
    says: ['above 0', String(quantity)],
  })),
  {
    mistake: 'a way that the lifecycle has not',
    call: ['POST', '/deployments/elbe~verlag/transition', { to: 'archived' }],
    at: 'to',
    says: ['paused', 'suspended'],
  },
  {
    mistake: 'a state as a verb',
    call: ['POST', '/deployments/elbe~verlag/transition', { to: 'suspend' }],
    at: 'to',
    says: ['did you mean suspended'],
  },
  {
    mistake: 'a slug for a deployment',
    call: ['GET', '/deployments/verlag'],
    status: 404,
    says: ['tenant~slug', '?tenant_id', '"verlag"'],
  },
  {
    mistake: 'a deployment that the tenant has not',
    call: ['GET', '/deployments/elbe~shop'],
    status: 404,
    says: ['No such deployment', 'elbe~shop'],
  },
  {
    mistake: 'a number that no invoice has',
    call: ['GET', '/invoices/INV-2026-000099'],
    status: 404,
    says: ['No such invoice', 'INV-2026-000099'],
  },
  { mistake: 'the name of a month', call: rollup('October'), at: 'period', says: ['2026-04', '"October"'] },
  { mistake: 'a month before its year', call: rollup('10-2026'), at: 'period', says: ['2026-04', '"10-2026"'] },
  { mistake: 'a year that nobody bills', call: rollup('9999-12'), at: 'period', says: ['1900 to 2999', '"9999-12"'] },
  {
    mistake: 'a method that a path does not take',
    call: ['PUT', '/tenants/elbe', {}],
    status: 405,
    says: ['GET', 'PATCH', 'PUT'],
  },
  { mistake: 'a path with a typo', call: ['GET', '/tennants/elbe'], status: 404, says: ['/api/v1/tenants/elbe'] },
  { mistake: 'a path without its version', call: ['GET', '/api/../plans'], status: 404, says: ['/api/v1/plans'] },
  {
    mistake: 'a body that is not JSON',
    call: raw('{"id": elbe}', 'application/json'),
    status: 400,
    says: ['not JSON', 'application/json'],
  },
  {
    mistake: 'a form',
    call: raw('id=elbe', 'application/x-www-form-urlencoded'),
    status: 415,
    says: ['application/x-www-form-urlencoded', 'application/json'],
  },
  { mistake: 'an empty body', call: raw('', 'application/json'), status: 400, says: ['empty', 'application/json'] },
  { mistake: 'no body', call: ['POST', '/tenants'], says: ['an object', 'null'] },
  { mistake: 'a page of a thousand', call: ['GET', '/tenants?limit=1000'], at: 'limit', says: ['1 to 200', '1000'] },
  { mistake: 'all on a page', call: ['GET', '/tenants?limit=all'], at: 'limit', says: ['1 to 200', '"all"'] },
  {
    mistake: 'a cursor of another list',
    call: ['GET', '/tenants?cursor={cursor}'],
    at: 'cursor',
    says: ['start again without it'],
  },
  {
    mistake: 'a parameter with a typo',
    call: ['GET', '/margin?perriod=2026-10'],
    at: 'perriod',
    says: ['parameter', 'did you mean period'],
  },
]

describe('a mistake is told with its place, what was found and what was expected:', () => {
  let books: Books
  const known: Record<string, string> = {}
  before(async () => {
    books = await openBooks(await memoryDatabase(), '2026-05-02T06:00:00Z')
    Object.assign(known, await enter(books))
  })
  after(() => books.close())

  for (const { mistake, call, status = 422, at, says } of MISTAKES) {
    test(mistake, async () => {
      const [method, path, body, options] = call
      const given = path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => known[name] ?? name)
      const answer = await books.call(method, given, { ...(body !== undefined && { body }), ...options })
      assert.equal(answer.status, status, answer.text)
      assert.doesNotMatch(answer.text, NEVER_SAID)
      const faults: { path: string; message: string }[] = answer.body.errors ?? []
      const told =
        at === undefined ? answer.text.replaceAll('\\"', '"') : faults.find(({ path }) => path === at)?.message
      for (const word of says) {
        const isSaid = typeof word === 'string' ? told?.includes(word) : word.test(told ?? '')
        assert.ok(isSaid, `${String(word)} is not said in: ${told ?? answer.text}`)
      }
    })
  }
})

async function enter({ ok, call }: Books): Promise<Record<string, string>> {
  await ok('POST', '/tenants', TENANT)
  await ok('POST', '/meters', { code: 'api_calls', name: 'Calls', unit: 'call', aggregation: 'sum' })
  for (const [code, terms] of [
    ['studio', PLAN],
    ['euro', { ...PLAN, currency: 'EUR' }],
    ['drafted', PLAN],
    ['mistyped', { ...PLAN, charges: [{ meter: 'api-call', model: 'per_unit', unit_price: '1' }] }],
  ] as const) {
    await ok('POST', '/plans', { code, name: code, version: terms })
    if (code === 'studio' || code === 'euro') await ok('POST', `/plans/${code}/versions/1/publish`)
  }
  await ok('POST', '/addons', {
    code: 'backup',
    name: 'Daily backup',
    price_cents: 100,
    currency: 'AUD',
    quantity: '1',
  })
  for (const slug of ['free', 'verlag']) await ok('POST', '/deployments', { tenant_id: 'elbe', slug })
  const { id } = await ok('POST', '/deployments/elbe~verlag/subscribe', {
    plan_code: 'studio',
    start_date: '2026-04-01',
  })
  const { body } = await call('GET', '/deployments?limit=1')
  return { subscription: id, cursor: body.next_cursor }
}
