/**
 * The operator of the demo as it would enter itself over HTTP: its price list, its tenants, what they run, and what
 * their language models used in April 2026. The resources behind it are in digitalocean/rentals.ts.
 */

export const PERIOD = '2026-04'

export const SELLER = {
  ARCADIA_SELLER_LEGAL_NAME: 'Wattle Hosting Pty Ltd',
  ARCADIA_SELLER_ABN: '72 777 888 999',
  ARCADIA_SELLER_ADDRESS: 'Level 2, 1 Example Street, Sydney NSW 2000, Australia',
}

export const TENANTS = [
  {
    id: 'boab',
    legal_name: 'Boab Coffee Roasters Pty Ltd',
    email: 'accounts@boab.example',
    address: '12 Harbour Lane, Fremantle WA 6160',
    country: 'AU',
    tax_id: '43 111 222 333',
    currency: 'USD',
    timezone: 'UTC',
    tax: { treatment: 'taxable', name: 'GST', rate: '0.10' },
  },
  {
    id: 'kelpie',
    legal_name: 'Kelpie Surf Shop Pty Ltd',
    email: 'books@kelpie.example',
    address: '3 Esplanade, Torquay VIC 3228',
    country: 'AU',
    tax_id: '13 444 555 666',
    currency: 'USD',
    timezone: 'Australia/Melbourne',
    tax: { treatment: 'taxable', name: 'GST', rate: '0.10' },
  },
  {
    id: 'hume',
    legal_name: 'Hume Valley Library Association',
    email: 'office@hume.example',
    address: '40 High Street, Wodonga VIC 3690',
    country: 'AU',
    currency: 'USD',
    timezone: 'Australia/Melbourne',
    tax: { treatment: 'exempt' },
  },
  {
    id: 'fjordlys',
    legal_name: 'Fjordlys Media AS',
    email: 'faktura@fjordlys.example',
    address: 'Strandgata 9, 5004 Bergen',
    country: 'NO',
    currency: 'USD',
    timezone: 'Europe/Oslo',
    tax: { treatment: 'export' },
  },
  {
    id: 'tui',
    legal_name: 'Tui Ferments Limited',
    email: 'hello@tui.example',
    address: '8 Mill Road, Nelson 7010',
    country: 'NZ',
    currency: 'USD',
    timezone: 'Pacific/Auckland',
    tax: { treatment: 'export' },
  },
]

export const ADDONS = [
  { code: 'storage_50gb', name: 'Storage 50 GB', price_cents: 750, currency: 'USD', quantity: '50', unit: 'GB' },
  { code: 'daily_backup', name: 'Daily backup', price_cents: 300, currency: 'USD', quantity: '1', unit: 'site' },
]

export const PLANS = [
  {
    code: 'studio',
    name: 'Studio',
    version: {
      currency: 'USD',
      interval: 'month',
      base_price_cents: 5000,
      proration: 'daily',
      charges: [{ meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01', included_quantity: '1488' }],
    },
  },
  {
    code: 'starter',
    name: 'Starter',
    version: {
      currency: 'USD',
      interval: 'month',
      base_price_cents: 1900,
      proration: 'daily',
      charges: [
        { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.012', included_quantity: '744' },
        { meter: 'volume_gb_hours', model: 'per_unit', unit_price: '0.0003' },
      ],
    },
  },
  {
    code: 'newsroom',
    name: 'Newsroom',
    version: {
      currency: 'USD',
      interval: 'month',
      base_price_cents: 6900,
      proration: 'daily',
      charges: [
        { meter: 'droplet_hours', model: 'per_unit', unit_price: '0.01', included_quantity: '1488' },
        { meter: 'volume_gb_hours', model: 'per_unit', unit_price: '0.0002', included_quantity: '20000' },
      ],
    },
  },
]

export const DEPLOYMENTS = [
  {
    tenant_id: 'boab',
    slug: 'studio',
    display_name: 'Roastery studio',
    plan_code: 'studio',
    addons: ['storage_50gb'],
    start_date: '2026-03-01',
  },
  {
    tenant_id: 'kelpie',
    slug: 'shop',
    display_name: 'Surf shop',
    plan_code: 'starter',
    addons: ['daily_backup'],
    start_date: '2026-04-11',
  },
  {
    tenant_id: 'hume',
    slug: 'catalogue',
    display_name: 'Library catalogue',
    plan_code: 'starter',
    addons: [],
    start_date: '2026-01-01',
  },
  {
    tenant_id: 'fjordlys',
    slug: 'newsroom',
    display_name: 'Newsroom',
    plan_code: 'newsroom',
    addons: ['storage_50gb'],
    start_date: '2025-02-03',
  },
  {
    tenant_id: 'tui',
    slug: 'cellar',
    display_name: 'Cellar',
    plan_code: 'starter',
    addons: [],
    start_date: '2026-04-20',
    trial: true,
  },
] as const

/** Priced by the gateway; the charges are exact decimals and one is not priced yet. */
export const LLM_USAGE = [
  ...['0.0123456789', '0.4100000001', '0.2377', '1.006', '0.000098'].map((charge, index) =>
    request('fjordlys', 'newsroom', index, charge),
  ),
  request('fjordlys', 'newsroom', 5, null),
  ...['0.031', '0.0275', '0.0055'].map((charge, index) => request('kelpie', 'shop', index, charge)),
  request('tui', 'cellar', 0, '0.2604'),
]

function request(tenant_id: string, slug: string, index: number, charge: string | null) {
  return {
    slug,
    event: {
      gateway_id: 'arcadia-llm-gateway',
      gateway_request_id: `req_${tenant_id}_${index + 1}`,
      occurred_at: `2026-04-${String(20 + index)}T10:1${index}:12.345Z`,
      tenant_id,
      provider: 'anthropic',
      model: 'claude-sonnet',
      usage: { input_tokens: 1200 + 10 * index, output_tokens: 340 + index },
      charge,
      currency: 'USD',
      price_version: '2026-04-01',
    },
  }
}
