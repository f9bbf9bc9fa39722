/** The contexts in order: each may import only those above it, and only through their `index.ts`. */
export const CONTEXTS = [
  'events',
  'tenants',
  'pricing',
  'catalog',
  'deployments',
  'inventory',
  'subscriptions',
  'metering',
  'llm-usage',
  'costs',
  'forecast',
  'invoicing',
  'finance',
  'margin',
  'focus',
] as const
