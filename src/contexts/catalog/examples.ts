import type { Static } from 'typebox'
import type { AddonBody, PlanBody, PlanVersionBody, QuoteRequest } from './schemas.ts'

// The price list of the company that the examples of the API document are of.

type Version = Static<typeof PlanVersionBody>

export const STUDIO: Version = {
  currency: 'USD',
  interval: 'month',
  base_price_cents: 5000,
  proration: 'daily',
  charges: [
    { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01', included_quantity: '1488' },
    {
      meter: 'requests',
      model: 'graduated',
      tiers: [
        { up_to: '1000000', unit_price: '0' },
        { up_to: null, unit_price: '0.000002' },
      ],
    },
  ],
}

/** What is drafted first, and then replaced. */
export const STUDIO_DRAFT: Version = { currency: 'USD', interval: 'month', base_price_cents: 4900 }

export const PLANS: [Static<typeof PlanBody>, Static<typeof PlanBody>] = [
  { code: 'studio', name: 'Studio' },
  {
    code: 'starter',
    name: 'Starter',
    version: {
      currency: 'USD',
      interval: 'month',
      base_price_cents: 1900,
      charges: [{ meter: 'droplet_hours', model: 'per_unit', unit_price: '0.012', included_quantity: '744' }],
    },
  },
]

export const ADDONS: [Static<typeof AddonBody>, Static<typeof AddonBody>] = [
  { code: 'storage_50gb', name: 'Storage 50 GB', price_cents: 750, currency: 'USD', quantity: '50', unit: 'GB' },
  { code: 'daily_backup', name: 'Daily backup', price_cents: 300, currency: 'USD', quantity: '1', unit: 'site' },
]

const APRIL = { start: '2026-04-01', end: '2026-05-01' }

export const QUOTES: [QuoteRequest, QuoteRequest] = [
  {
    plan: { code: 'studio', version: 1 },
    addons: [{ code: 'storage_50gb' }],
    usage: { droplet_hours: '2160', requests: '1250000' },
    llm_charges: ['0.0123456789'],
    period: APRIL,
    active: { start: '2026-04-11', end: '2026-05-01' },
    tenant_id: 'boab',
  },
  {
    plan: { currency: 'USD', base_price_cents: 9900, charges: [] },
    discounts: [{ name: 'Launch offer', rate: '0.10' }],
    period: APRIL,
    tax: { name: 'GST', rate: '0.10' },
  },
]
