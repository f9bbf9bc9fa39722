export { checkCharges } from './check.ts'
export { type ExplainableLine, type Explanation, explain } from './explain.ts'
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
  SegmentMode,
  SubscriptionFacts,
  TaxTerms,
  Tier,
} from './facts.ts'
export { ENGINE_VERSION, quote } from './quote.ts'
export { type Addon, type Phase, type Segment, segments } from './segments.ts'
