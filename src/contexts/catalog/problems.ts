import { problem } from '../../kernel/problem.ts'

export const meterDiffers = problem({
  code: 'catalog/meter-differs',
  status: 409,
  title: 'The meter exists and counts otherwise',
})
export const unknownMeter = problem({
  code: 'catalog/unknown-meter',
  status: 422,
  title: 'No such meter',
  constraints: ['addon_meter_exists'],
})
export const planExists = problem({
  code: 'catalog/plan-exists',
  status: 409,
  title: 'The plan code is taken',
  constraints: ['plan_pkey'],
})
export const addonExists = problem({
  code: 'catalog/addon-exists',
  status: 409,
  title: 'The add-on code is taken',
  constraints: ['addon_pkey'],
})
export const notPublishable = problem({
  code: 'catalog/not-publishable',
  status: 422,
  title: 'The plan version has faults',
  constraints: [
    'plan_version_amounts_not_negative',
    'plan_version_usage_has_one_price',
    'charge_per_event_of_percentage',
  ],
})
export const unknownPlan = problem({
  code: 'catalog/unknown-plan',
  status: 422,
  title: 'No such plan or version',
  constraints: ['phase_plan_version_id_fkey'],
})
export const inUse = problem({ code: 'catalog/in-use', status: 409, title: 'What is used cannot be deleted' })
export const planNotPublished = problem({
  code: 'catalog/plan-not-published',
  status: 422,
  title: 'The plan version is not for sale',
})
export const unknownAddon = problem({ code: 'catalog/unknown-addon', status: 422, title: 'No such add-on' })
export const amountTooLarge = problem({
  code: 'catalog/amount-too-large',
  status: 422,
  title: 'An amount is larger than a quote can have',
})
export const currencyMismatch = problem({
  code: 'catalog/currency-mismatch',
  status: 422,
  title: 'Plan, add-ons and tenant must share one currency',
})

export const versionPublished = problem({
  code: 'catalog/version-published',
  status: 409,
  title: 'A published plan version cannot be changed',
  constraints: ['plan_version_published_is_immutable', 'charge_published_is_immutable'],
})
export const versionDraft = problem({
  code: 'catalog/version-draft',
  status: 409,
  title: 'A plan version that is not published cannot be retired',
})
export const versionRetired = problem({
  code: 'catalog/version-retired',
  status: 409,
  title: 'A retired plan version cannot be published',
  constraints: ['plan_version_retired_at_set'],
})
