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
  constraints: ['charge_meter_exists', 'addon_meter_exists'],
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
})
export const unknownPlan = problem({ code: 'catalog/unknown-plan', status: 422, title: 'No such plan or version' })
export const planNotPublished = problem({
  code: 'catalog/plan-not-published',
  status: 422,
  title: 'The plan version is not for sale',
})
export const unknownAddon = problem({ code: 'catalog/unknown-addon', status: 422, title: 'No such add-on' })
export const currencyMismatch = problem({
  code: 'catalog/currency-mismatch',
  status: 422,
  title: 'Plan, add-ons and tenant must share one currency',
})

// Refused by the database alone.
problem({
  code: 'catalog/meter-priced-twice',
  status: 422,
  title: 'A plan version prices a meter at most once',
  constraints: ['charge_meter_once'],
})
problem({
  code: 'catalog/minimum-above-maximum',
  status: 422,
  title: 'The minimum of a charge is above its maximum',
  constraints: ['charge_minimum_below_maximum'],
})
problem({
  code: 'catalog/version-published',
  status: 409,
  title: 'A published plan version cannot be changed',
  constraints: ['plan_version_published_is_immutable', 'charge_published_is_immutable'],
})
