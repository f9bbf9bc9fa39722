import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { sql } from 'kysely'
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
const USED = {
  id: 'e1',
  deployment_id: '{deployment}',
  meter: 'api_calls',
  quantity: '1',
  occurred_at: '2026-05-01T10:00:00Z',
}
const used = (changes: object): Mistake['call'] => ['POST', '/usage/events', { events: [{ ...USED, ...changes }] }]
const CLOUD_EVENT = {
  specversion: '1.0',
  id: 'c1',
  source: 'proxy',
  type: 'api_calls',
  subject: '{deployment}',
  time: '2026-05-01T10:00:00Z',
  data: { quantity: '1', properties: { user_id: 'u1' } },
}
const LLM_USED = {
  gateway_id: 'gateway',
  gateway_request_id: 'r1',
  occurred_at: '2026-05-01T10:00:00Z',
  tenant_id: 'elbe',
  deployment_id: '{deployment}',
  provider: 'anthropic',
  model: 'claude',
  charge: '0.01',
  currency: 'AUD',
}
const asked = (changes: object): Mistake['call'] => ['POST', '/integrations/llm-usage', { ...LLM_USED, ...changes }]
const BILL =
  'product,group_description,description,hours,start,end,USD,project_name,category\n' +
  'Droplets,,web-1 (s-1vcpu-1gb),10,2026-04-01 00:00:00 +0000,2026-04-30 00:00:00 +0000,$2.00,p,iaas\n'
const uploaded = (query: string, file: string | Buffer): Mistake['call'] => [
  'POST',
  `/billing/provider-invoices/import${query}`,
  file,
  { headers: { 'content-type': 'text/csv' } },
]
const paid = (invoice: string, changes: object): Mistake['call'] => [
  'POST',
  `/invoices/{${invoice}}/payments`,
  { amount_cents: 100, paid_at: '2026-05-01T00:00:00Z', reference: 'bank-1', ...changes },
]
const credited = (invoice: string, changes: object): Mistake['call'] => [
  'POST',
  `/invoices/{${invoice}}/credit-notes`,
  { amount_cents: 100, reason: 'goodwill', ...changes },
]
const NOBODY = '0b6e1a52-6a43-4f0e-9b0a-3f3f0a2f1c11'
const ruled = (shares: object[]): Mistake['call'] => [
  'POST',
  '/billing/allocation-rules',
  { product: 'Spaces', shares },
]
const KEYED = { headers: { 'idempotency-key': 'once' } }
const raw = (body: string, type: string): Mistake['call'] => [
  'POST',
  '/tenants',
  body,
  { headers: { 'content-type': type } },
]

const MISTAKES: readonly Mistake[] = [
  {
    mistake: 'a country by its name',
    call: tenant({ country: 'Australia' }),
    at: 'country',
    says: ['two capital letters', '"Australia"', 'AU'],
  },
  { mistake: 'a country as a number', call: tenant({ country: 61 }), at: 'country', says: ['such as AU', '61'] },
  {
    mistake: 'a country that there is not',
    call: tenant({ country: 'ZZ' }),
    at: 'country',
    says: ['ISO 3166', '"ZZ"'],
  },
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
  ...[
    ['aud', 'AUD'],
    ['Dollar', 'AUD'],
    ['XYZ', 'BYN'],
  ].flatMap(([currency = '', near = '']): Mistake[] => {
    const says = ['three capital letters of ISO 4217', `"${currency}"`, near]
    return [
      { mistake: `${currency} as a tenant’s currency`, call: tenant({ currency }), at: 'currency', says },
      {
        mistake: `${currency} in a list`,
        call: ['GET', `/billing/exchange-rates?currency=${currency}`],
        at: 'currency',
        says,
      },
    ]
  }),
  {
    mistake: 'a time zone by its city',
    call: tenant({ timezone: 'Sydney' }),
    at: 'timezone',
    says: ['"Sydney"', 'Australia/Sydney'],
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
    mistake: 'a tax rate with its sign',
    call: tenant({ tax: { treatment: 'taxable', rate: '10%' } }),
    at: 'tax/rate',
    says: ['fraction', '"0.10" for 10 %', '"10%"'],
  },
  {
    mistake: 'tax terms as a number',
    call: tenant({ tax: 0.1 }),
    at: 'tax',
    says: ['an object with treatment', '0.1'],
  },
  {
    mistake: 'an ABN with a wrong digit',
    call: tenant({ tax_id: '53 004 085 617' }),
    at: 'tax_id',
    says: ['check digit of the ABN'],
  },
  {
    mistake: 'a discount in percent',
    call: ['POST', '/subscriptions/{subscription}/discounts', { name: 'Opening', rate: '10' }],
    at: 'rate',
    says: ['fraction', '"0.10" for 10 %', '"10"'],
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
  ...['/addons/backup', '/subscriptions/{subscription}/overrides'].map((path): Mistake => {
    const field = path.startsWith('/addons') ? 'price' : 'base_price'
    return {
      mistake: `${field} at ${path}`,
      call: [path.startsWith('/addons') ? 'PATCH' : 'POST', path, { [field]: '50.00' }],
      at: field,
      says: [`${field}_cents`, 'minor units'],
    }
  }),
  {
    mistake: 'a price with an exponent',
    call: charge({ model: 'per_unit', unit_price: 1e-7 }),
    at: 'charges/0/unit_price',
    says: ['as text', '"0.0000001"'],
  },
  {
    mistake: 'a meter of another spelling',
    call: ['POST', '/plans/mistyped/versions/1/publish'],
    at: 'charges/0/meter',
    says: ['no meter api-call', 'api_calls'],
  },
  {
    mistake: 'a meter of another spelling in a path',
    call: ['PATCH', '/meters/api-calls', { name: 'Calls' }],
    status: 404,
    says: ['No such meter: api-calls', 'did you mean api_calls?'],
  },
  {
    mistake: 'a meter of another spelling in a quote',
    call: ['POST', '/quotes', { plan: PLAN, period: '2026-10', usage: { 'api-calls': '5' } }],
    at: 'usage/api-calls',
    says: ['no meter api-calls', 'did you mean api_calls?'],
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
    says: ['required', 'decimal as text'],
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
    mistake: 'a version by another name than its number',
    call: ['PUT', '/plans/studio/versions/v1', PLAN],
    status: 404,
    says: ['version must be the number of a version, such as 1', '"v1"'],
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
  {
    mistake: 'a plan that does not exist, in a path',
    call: ['GET', '/plans/stduio'],
    status: 404,
    says: ['No such plan: stduio', 'did you mean studio?'],
  },
  {
    mistake: 'a plan that does not exist, in a what-if',
    call: ['POST', '/what-if', { plan: { code: 'stduio', version: 1 }, from: '2026-04', to: '2026-04' }],
    at: 'plan/code',
    says: ['no plan stduio', 'did you mean studio?'],
  },
  { mistake: 'a plan in another currency', call: order({ plan_code: 'euro' }), at: 'plan_code', says: ['EUR', 'AUD'] },
  {
    mistake: 'a second subscription',
    call: ['POST', '/deployments/elbe~verlag/subscribe', { plan_code: 'studio' }],
    status: 409,
    says: [/Change or cancel subscription [0-9a-f-]{36} instead/],
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
  {
    mistake: 'an add-on with a typo in a path',
    call: ['PATCH', '/addons/bakup', { name: 'Backup' }],
    status: 404,
    says: ['No such add-on: bakup', 'did you mean backup?'],
  },
  {
    mistake: 'the code of an add-on in place of its terms',
    call: order({ addons: ['backup'] }),
    at: 'addons/0',
    says: ['an object with code', '"backup"'],
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
    mistake: 'a state as a change',
    call: ['PATCH', '/deployments/elbe~verlag', { state: 'paused' }],
    at: 'state',
    says: ['did you mean POST /deployments/:id/transition?'],
  },
  {
    mistake: 'a tenant that there is not',
    call: ['GET', '/tenants/elb'],
    status: 404,
    says: ['No such tenant: elb.'],
  },
  {
    mistake: 'a slug for a deployment',
    call: ['GET', '/deployments/verlag'],
    status: 404,
    says: ['tenant~slug', '?tenant_id', '"verlag"'],
  },
  {
    mistake: 'a slug of which a deployment is sold',
    call: ['POST', '/deployments/verlag/subscribe', { plan_code: 'studio' }],
    status: 404,
    says: ['tenant~slug', '"verlag"'],
  },
  ...['/resources', '/billing/cost-lines'].map((path): Mistake => ({
    mistake: `a slug at ${path}`,
    call: ['POST', `${path}/0b6e1a52-6a43-4f0e-9b0a-3f3f0a2f1c11/assignment`, { deployment_id: 'verlag' }],
    at: 'deployment_id',
    says: ['the id of a deployment', 'GET /deployments?tenant_id=…&slug=… finds it', '"verlag"'],
  })),
  {
    mistake: 'a slug in usage',
    call: used({ deployment_id: 'verlag' }),
    says: ['Event 0 (e1)', 'no deployment verlag', 'GET /deployments?tenant_id=…&slug=… finds it'],
  },
  {
    mistake: 'a slug in LLM usage',
    call: asked({ deployment_id: 'verlag' }),
    says: ['no deployment verlag', 'GET /deployments?tenant_id=…&slug=… finds it'],
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
  {
    mistake: 'what is nearly the number of an invoice',
    call: ['POST', '/invoices/2026-000001/issue'],
    status: 404,
    says: ['the id of an invoice', 'INV-2026-000001', '"2026-000001"'],
  },
  {
    mistake: 'usage without an id',
    call: used({ id: undefined }),
    says: ['id is required', 'comes twice counts once'],
  },
  ...['value', 'amount'].map((name): Mistake => ({
    mistake: `usage with ${name} for quantity`,
    call: used({ quantity: undefined, [name]: '1' }),
    says: ['Event 0 (e1)', `is called quantity, not ${name}`],
  })),
  ...(
    [
      ['2026-10-05', 'found "2026-10-05"'],
      [1_759_658_400, 'not a number; found 1759658400'],
      ['2026-02-30T10:00:00Z', 'there is no such day'],
      ['2026-05-03T10:00:00Z', 'must not lie in the future'],
      ['2019-05-03T10:00:00Z', 'older than 5 years'],
    ] as const
  ).map(([occurred_at, said]): Mistake => ({
    mistake: `usage at ${occurred_at}`,
    call: used({ occurred_at }),
    says: ['Event 0 (e1)', /occurred_at must (?:be a time such as 2026-10-05T10:00:00Z|not)/, said],
  })),
  {
    mistake: 'usage of a meter that is measured here',
    call: used({ meter: 'droplet_hours' }),
    says: ['droplet_hours is read from resources; leave it out'],
  },
  {
    mistake: 'usage of a meter of another spelling',
    call: used({ meter: 'api-calls' }),
    says: ['no meter api-calls', 'did you mean api_calls?'],
  },
  {
    mistake: 'a batch of which all is wrong',
    call: ['POST', '/usage/events', { events: [{ id: 'a' }, { ...USED, id: 'b', quantity: 'x' }] }],
    says: [/"index":0,"id":"a"[^}]+meter is required/, /"index":1,"id":"b"[^}]+found "x"/],
  },
  {
    mistake: 'properties beside the data of a CloudEvent',
    call: [
      'POST',
      '/usage/events',
      JSON.stringify(CLOUD_EVENT),
      { headers: { 'content-type': 'application/cloudevents+json' } },
    ],
    says: ['Event 0 (c1)', 'properties stand in data itself, such as data.user_id'],
  },
  { mistake: 'a charge as a number', call: asked({ charge: 0.01 }), at: 'charge', says: ['as text', '"0.01"'] },
  {
    mistake: 'a charge in cents',
    call: asked({ charge: undefined, charge_cents: 1 }),
    at: 'charge_cents',
    says: ['did you mean charge'],
  },
  {
    mistake: 'LLM usage of another tenant’s deployment, to the operator',
    call: asked({ tenant_id: 'saale' }),
    says: ['Tenant saale has no deployment', 'It belongs to tenant elbe'],
  },
  { mistake: 'a bill without its month', call: uploaded('', BILL), at: 'period', says: ['2026-04', 'filename'] },
  {
    mistake: 'a bill of another provider',
    call: uploaded('?period=2026-04', 'identity/LineItemId,lineItem/UnblendedCost\nx,2.00\n'),
    says: ['Cost and Usage Report of AWS', 'FOCUS'],
  },
  { mistake: 'a PDF for a bill', call: uploaded('?period=2026-04', '%PDF-1.7'), says: ['is a PDF', 'CSV'] },
  {
    mistake: 'an Excel file for a bill',
    call: uploaded('?period=2026-04', Buffer.from('d0cf11e0a1b11ae1', 'hex')),
    says: ['Excel', 'CSV'],
  },
  {
    mistake: 'a bill with a day that there is not',
    call: uploaded('?period=2026-04', BILL.replace('2026-04-30', '2026-09-31')),
    says: ['"row":2', '"column":"end"', '"2026-09-31 00:00:00 +0000"', 'no such day'],
  },
  {
    mistake: 'a comma in the sum of a bill',
    call: uploaded('?period=2026-04&amount=2,00', BILL),
    at: 'amount',
    says: ['"2,00"', 'a point, not a comma', '"2.00"'],
  },
  {
    mistake: 'a month that goes on',
    call: rollup('2026-05'),
    says: ['has not ended in UTC', 'after 2026-06-01 has begun there'],
  },
  { mistake: 'no month', call: ['POST', '/invoices/rollup', {}], at: 'period', says: ['required', '2026-04'] },
  {
    mistake: 'the name of a month in a quote',
    call: ['POST', '/quotes', { plan: PLAN, period: 'October' }],
    at: 'period',
    says: ['a month such as 2026-04', '"October"'],
  },
  {
    mistake: 'a rollup of a tenant that there is not',
    call: ['POST', '/invoices/rollup', { period: '2026-04', tenant_id: 'elb' }],
    status: 404,
    says: ['No such tenant: elb.'],
  },
  { mistake: 'the name of a month', call: rollup('October'), at: 'period', says: ['2026-04', '"October"'] },
  { mistake: 'a month before its year', call: rollup('10-2026'), at: 'period', says: ['2026-04', '"10-2026"'] },
  { mistake: 'a year that nobody bills', call: rollup('9999-12'), at: 'period', says: ['1900 to 2999', '"9999-12"'] },
  {
    mistake: 'an invoice that is issued twice, by its number',
    call: ['POST', '/invoices/INV-2026-000001/issue'],
    status: 409,
    says: ['INV-2026-000001'],
  },
  {
    mistake: 'a draft that is paid',
    call: paid('draft', {}),
    status: 409,
    says: ['is draft', 'POST /invoices/', '/issue'],
  },
  {
    mistake: 'a payment that is too much',
    call: paid('issued', { amount_cents: 999_999 }),
    says: [/Only [0-9.]+ AUD is owed/],
  },
  {
    mistake: 'a payment in another currency',
    call: paid('issued', { currency: 'USD' }),
    at: 'currency',
    says: ['amount_cents, in the currency of the invoice'],
  },
  {
    mistake: 'a payment in major units',
    call: paid('issued', { amount_cents: undefined, amount: '1.00' }),
    at: 'amount',
    says: ['did you mean amount_cents', '5050 for 50.50'],
  },
  {
    mistake: 'a payment of the future',
    call: paid('issued', { paid_at: '2036-05-01T00:00:00Z' }),
    at: 'paid_at',
    says: ['not be in the future', '2036'],
  },
  {
    mistake: 'a payment on a day that there is not',
    call: paid('issued', { paid_at: '2026-02-30T00:00:00Z' }),
    at: 'paid_at',
    says: ['no such day', '"2026-02-30T00:00:00Z"'],
  },
  {
    mistake: 'more credit than is left',
    call: credited('issued', { amount_cents: 999_999 }),
    says: [/At most [0-9.]+ AUD can be credited/],
  },
  {
    mistake: 'cents of a credit as text',
    call: credited('issued', { amount_cents: '5' }),
    at: 'amount_cents',
    says: ['write 5 without quotes'],
  },
  { mistake: 'a draft that is credited', call: credited('draft', {}), status: 409, says: ['is draft', '/issue'] },
  {
    mistake: 'a paid invoice that is made void',
    call: ['POST', '/invoices/{paid}/void', { reason: 'mistyped' }],
    status: 409,
    says: ['credit what is left of it instead', 'POST /invoices/', '/credit-notes'],
  },
  {
    mistake: 'shares that are all 0',
    call: ruled([{ deployment_id: '{deployment}', weight: '0' }]),
    at: 'shares/0/weight',
    says: ['above 0', '"0"'],
  },
  {
    mistake: 'a share of a deployment that there is not',
    call: ruled([
      { deployment_id: '{deployment}', weight: '1' },
      { deployment_id: NOBODY, weight: '1' },
    ]),
    at: 'shares/1/deployment_id',
    says: ['no deployment', NOBODY],
  },
  {
    mistake: 'margin without an exchange rate',
    call: ['GET', '/margin?period=2026-04&currency=EUR'],
    says: ['POST /billing/exchange-rates {"from": "AUD", "to": "EUR"'],
  },
  {
    mistake: 'a method that a path does not take',
    call: ['PUT', '/tenants/elbe', {}],
    status: 405,
    says: ['GET', 'PATCH', 'PUT'],
  },
  { mistake: 'a path with a typo', call: ['GET', '/tennants/elbe'], status: 404, says: ['/api/v1/tenants/elbe'] },
  { mistake: 'a path without its version', call: ['GET', '/api/../plans'], status: 404, says: ['/api/v1/plans'] },
  { mistake: 'another version in a path', call: ['GET', '/api/v2/tenants'], status: 404, says: ['/api/v1/tenants?'] },
  {
    mistake: 'a tenant’s token where the operator’s is needed',
    call: ['POST', '/invoices/rollup', { period: '2026-04' }, { as: { tenant: 'elbe' } }],
    status: 403,
    says: ['needs one of the roles: platform_admin'],
  },
  {
    mistake: 'no token',
    call: ['GET', '/tenants', undefined, { as: 'nobody' }],
    status: 401,
    says: ['There is no token'],
  },
  {
    mistake: 'a key that was used for something else',
    call: ['POST', '/tenants', { ...TENANT, id: 'another' }, KEYED],
    status: 409,
    says: ['used for POST /api/v1/tenants', '2026-05-02T06:00:00Z'],
  },
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
  {
    mistake: 'a parameter where none is taken',
    call: ['GET', '/doctor?period=2026-10'],
    at: 'period',
    says: ['parameter', 'none is taken here'],
  },
]

/** Mistakes that need more than a call, or what other tests have set up, and the test that sees them told. */
const TOLD_ELSEWHERE: readonly { mistake: string; file: string; by: string }[] = [
  {
    mistake: 'a version that is published twice',
    file: 'src/contexts/catalog/routes.test.ts',
    by: 'publishing is for good, and a second time changes nothing',
  },
  {
    mistake: 'an exchange rate the wrong way round',
    file: 'src/contexts/costs/exchange-rates.test.ts',
    by: 'a rate that is far from the last one of the pair comes with a warning, and is recorded',
  },
  {
    mistake: 'LLM usage of another tenant’s deployment, to a gateway',
    file: 'src/contexts/llm-usage/routes.test.ts',
    by: 'the operator is told whose a deployment is that was sent as another’s, and a gateway is not',
  },
  {
    mistake: 'a token that is malformed, has expired or is signed with another secret',
    file: 'src/platform/http.test.ts',
    by: 'is required, and must be whole, in time and signed with our secret',
  },
  {
    mistake: 'a token for a role that there is not',
    file: 'src/cli/token.test.ts',
    by: 'a token is made for a role that there is, and a tenant’s for a tenant',
  },
  {
    mistake: 'a token for a tenant that there is not',
    file: 'test/serve.test.ts',
    by: 'makes a token beside it only for a tenant that there is',
  },
  {
    mistake: 'a parameter with a typo, of every list',
    file: 'test/scenarios/lists.test.ts',
    by: 'a field that is not known is refused in every query, whatever the method, and named',
  },
  {
    mistake: 'a wrong command, option or month on the command line',
    file: 'test/serve.test.ts',
    by: 'a command line that is wrong is answered with one that is right',
  },
  {
    mistake: 'a variable with a typo',
    file: 'src/config.test.ts',
    by: 'a variable of ours that does not exist is refused with the one that was meant; others are not ours',
  },
  {
    mistake: 'three dots for a token',
    file: 'src/config.test.ts',
    by: 'what cannot be a token is refused in words, and not shown',
  },
  {
    mistake: 'a file that is not there, or is a folder',
    file: 'test/import.test.ts',
    by: 'a file that cannot be read is told in words, with its path once, and nothing is started',
  },
  {
    mistake: 'a data directory that may not be used',
    file: 'src/platform/data-dir.test.ts',
    by: 'a directory that cannot be used is told in words, at once',
  },
]

describe('a mistake is told with its place, what was found and what was expected:', () => {
  let books: Books
  const known: Record<string, string> = {}
  let stored: Record<string, number>
  before(async () => {
    books = await openBooks(await memoryDatabase(), '2026-05-02T06:00:00Z')
    Object.assign(known, await enter(books))
    stored = await rowCounts(books)
  })
  after(() => books.close())

  for (const { mistake, call, status = 422, at, says } of MISTAKES) {
    test(mistake, async () => {
      const [method, path, body, options] = call
      const given = filled(body, known)
      const answer = await books.call(method, filled(path, known), {
        ...(body !== undefined && { body: given }),
        ...options,
      })
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

  test('and of all of them nothing is stored', async () => {
    assert.deepEqual(await rowCounts(books), stored)
  })
})

describe('a mistake that is told elsewhere has its test there:', () => {
  for (const { mistake, file, by } of TOLD_ELSEWHERE) {
    test(mistake, async () => {
      const tests = await readFile(new URL(`../${file}`, import.meta.url), 'utf8')
      assert.ok(tests.includes(`test('${by}'`), `${file} has no test named: ${by}`)
    })
  }
})

/** With the ids of what was entered in the place of their names. A file has none. */
function filled<T>(part: T, known: Readonly<Record<string, string>>): T {
  if (part === undefined || Buffer.isBuffer(part)) return part
  return JSON.parse(JSON.stringify(part).replaceAll(/\{(\w+)\}/g, (whole, name: string) => known[name] ?? whole))
}

async function rowCounts({ app }: Books): Promise<Record<string, number>> {
  const { read } = app.edge.db
  const { rows: tables } = await sql<{ name: string }>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema') order by 1`.execute(read)
  const counted = tables.map(
    ({ name }) => sql`select ${name}::text as name, count(*)::int as rows from ${sql.raw(name)}`,
  )
  const { rows } = await sql<{ name: string; rows: number }>`${sql.join(counted, sql` union all `)}`.execute(read)
  return Object.fromEntries(rows.map((row) => [row.name, row.rows]))
}

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
  await call('POST', '/tenants', { body: { ...TENANT, id: 'saale' }, ...KEYED })
  for (const slug of ['free', 'verlag', 'old']) await ok('POST', '/deployments', { tenant_id: 'elbe', slug })
  const { id } = await ok('POST', '/deployments/elbe~verlag/subscribe', {
    plan_code: 'studio',
    start_date: '2026-04-01',
  })
  await ok('POST', '/deployments/elbe~old/subscribe', { plan_code: 'studio', start_date: '2026-02-01' })
  const { body } = await call('GET', '/deployments?limit=1')
  const { id: deployment } = await ok('GET', '/deployments/elbe~verlag')
  return { subscription: id, cursor: body.next_cursor, deployment, ...(await invoiced(ok)) }
}

/** One invoice that is issued, one that is paid and one draft. */
async function invoiced(ok: Books['ok']): Promise<Record<'issued' | 'paid' | 'draft', string>> {
  const ids: string[] = []
  for (const period of ['2026-02', '2026-03', '2026-04']) {
    await ok('POST', '/invoices/rollup', { period })
    const [{ id }] = await ok('GET', `/invoices?period=${period}`)
    ids.push(id)
  }
  const [issued = '', paid = '', draft = ''] = ids
  await ok('POST', `/invoices/${issued}/issue`)
  const { total_cents } = await ok('POST', `/invoices/${paid}/issue`)
  const payment = { amount_cents: total_cents, paid_at: '2026-05-01T00:00:00Z', reference: 'bank-0' }
  await ok('POST', `/invoices/${paid}/payments`, payment)
  return { issued, paid, draft }
}
