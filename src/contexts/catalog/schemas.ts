import { type Static, Type } from 'typebox'
import {
  AnyObject,
  Body,
  Cents,
  CentsOut,
  CurrencyCode,
  DecimalText,
  InstantOut,
  Nullable,
  PeriodBody,
  PeriodOut,
  UnsignedDecimalText,
} from '../../platform/wire.ts'
import type { Charge, LineKind, Quote } from '../pricing/index.ts'
import { TenantId } from '../tenants/index.ts'

// The catalogue on the wire: what is accepted first, what is answered after it.

const CHARGES_MAX = 100
const TIERS_MAX = 100
const QUOTE_ADDONS_MAX = 100
const QUOTE_LLM_CHARGES_MAX = 10_000

const MeterCode = Type.String({ pattern: '^[a-z][a-z0-9_]{0,62}$' })
const Code = Type.String({ pattern: '^[a-z][a-z0-9_-]{0,62}$' })
const Name = Type.String({ minLength: 1, maxLength: 200 })
const Unit = Type.String({ minLength: 1, maxLength: 50 })
const PriceText = Type.String({
  pattern: '^[0-9]{1,20}(\\.[0-9]{1,12})?$',
  description: 'A price in major units, as a string with at most 12 digits after the point',
})
const SizeText = Type.String({
  pattern: '^(?=.*[1-9])[0-9]{1,20}(\\.[0-9]{1,20})?$',
  description: 'An exact decimal above 0, as a string',
})

const named = { code: MeterCode, name: Name, unit: Unit }
export const MeterBody = Type.Union([
  Body({
    ...named,
    aggregation: Type.Union(
      (['sum', 'count', 'max', 'last', 'time_weighted_sum'] as const).map((kind) => Type.Literal(kind)),
    ),
  }),
  Body({
    ...named,
    aggregation: Type.Literal('unique_count'),
    unique_property: Type.String({ minLength: 1, maxLength: 100 }),
  }),
])

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
  interval: Type.Optional(Type.Literal('month')),
  base_price_cents: Cents({ minimum: 0 }),
  proration: Type.Optional(Type.Union([Type.Literal('daily'), Type.Literal('none')])),
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
  usage: Type.Optional(Type.Record(Type.String(), UnsignedDecimalText, { description: 'Quantities by meter code' })),
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
