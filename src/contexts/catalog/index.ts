export { discountFaults, discountTermsOf, type NewDiscount } from './discount.ts'
export { catalogChecks } from './checks.ts'
export { catalogInvariants } from './invariants.ts'
export { type Addon, type NewPlanVersion, planTermsOf } from './plan.ts'
export { unknownPlan } from './problems.ts'
export { readCodes, unknownPlanAt } from './codes.ts'
export { findPublishedVersion, planFaults, readAddons, readPlanTerms, type SoldVersion } from './queries.ts'
export { catalogRoutes } from './routes.ts'
export {
  ChargesOut,
  discountFields,
  EventProperties,
  overrideFields,
  PlanVersionBody,
  quoteLineFields,
  QuoteOut,
} from './schemas.ts'
