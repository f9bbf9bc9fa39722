export { checkCharges, PRICE_MAX_PLACES } from './check.ts'
export { explain } from './explain.ts'
export type {
  AddonTerms,
  AdjustmentFacts,
  Charge,
  LineKind,
  LlmFacts,
  PlanTerms,
  Quote,
  QuoteFacts,
  QuoteLine,
  SegmentFacts,
  SubscriptionFacts,
  TaxTerms,
  Tier,
} from './facts.ts'
export { quote } from './quote.ts'
export { type Phase, type Segment, segments } from './segments.ts'
