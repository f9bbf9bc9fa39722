import { type Static, Type } from 'typebox'
import { POSITIVE_DECIMAL_PATTERN, unsignedDecimalPattern } from '../../kernel/decimal.ts'
import {
  AnyObject,
  Body,
  Cents,
  CentsOut,
  CurrencyCode,
  DecimalText,
  InstantOut,
  Nullable,
  OneOf,
  PeriodBody,
  PeriodOut,
  UnsignedDecimalText,
} from '../../platform/wire.ts'
import { type Charge, type LineKind, PRICE_MAX_PLACES, type Quote } from '../pricing/index.ts'
import { TenantId } from '../tenants/index.ts'

// The catalogue on the wire: what is accepted first, what is answered after it.

const CHARGES_MAX = 100
const TIERS_MAX = 100
const QUOTE_ADDONS_MAX = 100
const QUOTE_LLM_CHARGES_MAX = 10_000
const QUOTE_METERS_MAX = 1_000

const MeterCode = Type.String({ pattern: '^[a-z][a-z0-9_]{0,62}$' })
const Code = Type.String({ pattern: '^[a-z][a-z0-9_-]{0,62}$' })
const Name = Type.String({ minLength: 1, maxLength: 200 })
const Unit = Type.String({ minLength: 1, maxLength: 50 })
const PriceText = Type.String({
  pattern: unsignedDecimalPattern(PRICE_MAX_PLACES),
  description: `A price in major units, as a string with at most ${PRICE_MAX_PLACES} digits after the point`,
})
const SizeText = Type.String({
  pattern: POSITIVE_DECIMAL_PATTERN,
  description: 'An exact decimal above 0, as a string',
})

const AGGREGATIONS = ['sum', 'count', 'max', 'last', 'unique_count', 'time_weighted_sum'] as const
export const MeterBody = Body({
  code: MeterCode,
  name: Name,
  unit: Unit,
  aggregation: OneOf(AGGREGATIONS),
  unique_property: Type.Optional(
    Type.String({ minLength: 1, maxLength: 100, description: 'For unique_count alone: what is counted' }),
  ),
})

const Tiers = Type.Array(
  Body({
    up_to: Nullable(UnsignedDecimalText),
    unit_price: PriceText,
    flat_price: Type.Optional(Nullable(PriceText)),
  }),
  { minItems: 1, maxItems: TIERS_MAX },
)
const charged = {
  meter: MeterCode,
  included_quantity: Type.Optional(Nullable(UnsignedDecimalText)),
  min_amount: Type.Optional(Nullable(PriceText)),
  max_amount: Type.Optional(Nullable(PriceText)),
}
/** The discriminator keeps the faults of the models that were not meant out of the answer. */
const ChargeSchema = Type.Unsafe<Charge>({
  type: 'object',
  required: ['model'],
  discriminator: { propertyName: 'model' },
  oneOf: [
    Body({ ...charged, model: Type.Literal('per_unit'), unit_price: PriceText }),
    Body({ ...charged, model: Type.Literal('graduated'), tiers: Tiers }),
    Body({ ...charged, model: Type.Literal('volume'), tiers: Tiers }),
    Body({ ...charged, model: Type.Literal('package'), package_size: SizeText, package_price: PriceText }),
    Body({ ...charged, model: Type.Literal('percentage'), rate: PriceText }),
  ],
})

export const PlanVersionBody = Body({
  currency: CurrencyCode,
  interval: Type.Optional(OneOf(['month'])),
  base_price_cents: Cents({ minimum: 0 }),
  proration: Type.Optional(OneOf(['daily', 'none'])),
  charges: Type.Optional(Type.Array(ChargeSchema, { maxItems: CHARGES_MAX })),
})
export const PlanBody = Body({ code: Code, name: Name, version: Type.Optional(PlanVersionBody) })
export const AddonBody = Body({
  code: Code,
  name: Name,
  price_cents: Cents({ minimum: 0 }),
  currency: CurrencyCode,
  quantity: UnsignedDecimalText,
  unit: Type.Optional(Nullable(Unit)),
  grants_meter: Type.Optional(Nullable(MeterCode)),
})

const PlanReference = Body({ code: Code, version: Type.Optional(Type.Integer({ minimum: 1 })) })
const AddonReference = Body({ code: Code, quantity: Type.Optional(UnsignedDecimalText) })
const InlineAddon = Body({
  code: Code,
  name: Name,
  price_cents: Cents({ minimum: 0 }),
  quantity: UnsignedDecimalText,
  unit: Type.Optional(Nullable(Unit)),
  grants_meter: Type.Optional(Nullable(MeterCode)),
})
export const QuoteBody = Body({
  plan: Type.Union([PlanReference, PlanVersionBody]),
  addons: Type.Optional(Type.Array(Type.Union([AddonReference, InlineAddon]), { maxItems: QUOTE_ADDONS_MAX })),
  usage: Type.Optional(
    Type.Record(Type.String(), UnsignedDecimalText, {
      description: 'Quantities by meter code',
      maxProperties: QUOTE_METERS_MAX,
    }),
  ),
  llm_charges: Type.Optional(Type.Array(DecimalText, { maxItems: QUOTE_LLM_CHARGES_MAX })),
  period: PeriodBody,
  active: Type.Optional(PeriodBody),
  tax: Type.Optional(Body({ name: Type.String({ minLength: 1, maxLength: 50 }), rate: UnsignedDecimalText })),
  tenant_id: Type.Optional(TenantId),
})
export type QuoteRequest = Static<typeof QuoteBody>

export const MeterOut = Type.Object({
  code: Type.String(),
  name: Type.String(),
  unit: Type.String(),
  aggregation: Type.String(),
  unique_property: Nullable(Type.String()),
  created_at: InstantOut,
})
export const PlanVersionOut = Type.Object({
  id: Type.String(),
  plan_code: Type.String(),
  version: Type.Integer(),
  status: Type.String(),
  currency: Type.String(),
  interval: Type.String(),
  base_price_cents: CentsOut,
  proration: Type.String(),
  charges: Type.Unsafe<readonly Charge[]>(Type.Array(ChargeSchema)),
  created_at: InstantOut,
  published_at: Nullable(InstantOut),
})
const planFields = { code: Type.String(), name: Type.String(), created_at: InstantOut }
export const PlanListed = Type.Object({ ...planFields, latest_version: Nullable(Type.Integer()) })
export const PlanOut = Type.Object({ ...planFields, versions: Type.Array(PlanVersionOut) })
export const AddonOut = Type.Object({
  code: Type.String(),
  name: Type.String(),
  price_cents: CentsOut,
  currency: Type.String(),
  quantity: Type.String(),
  unit: Nullable(Type.String()),
  grants_meter: Nullable(Type.String()),
  created_at: InstantOut,
})

/** The fields of a line in every answer that has lines; invoices add theirs. */
export const quoteLineFields = {
  kind: Type.Unsafe<LineKind>(Type.String()),
  meter: Nullable(Type.String()),
  description: Type.String(),
  quantity: Nullable(Type.String()),
  unit_price: Nullable(Type.String()),
  amount_precise: Type.String(),
  amount_cents: CentsOut,
  service_period: PeriodOut,
  taxable: Type.Boolean(),
  details: AnyObject,
}
export const QuoteOut = Type.Object({
  currency: Type.String(),
  lines: Type.Unsafe<Quote['lines']>(Type.Array(Type.Object(quoteLineFields))),
  subtotal_cents: CentsOut,
  tax_cents: CentsOut,
  total_cents: CentsOut,
  engine_version: Type.String(),
})
