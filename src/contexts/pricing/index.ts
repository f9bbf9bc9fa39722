export { amountTooLargeIn } from './amounts.ts'
export { checkCharges, PRICE_MAX_PLACES } from './check.ts'
export { explain } from './explain.ts'
export type {
  AddonTerms,
  AdjustmentFacts,
  AttachedAddon,
  Charge,
  DiscountTerms,
  EventCount,
  LineKind,
  LlmFacts,
  PlanTerms,
  PlanYear,
  PriceOverride,
  Quote,
  QuoteFacts,
  QuoteLine,
  SegmentFacts,
  SegmentMode,
  TaxTerms,
  Tier,
} from './facts.ts'
export { eventBounds, isPerEvent } from './models/percentage.ts'
export { overridden } from './override.ts'
export { quote } from './quote.ts'
export { type Phase, type Segment, segments } from './segments.ts'
export { usageKey } from './usage-key.ts'
