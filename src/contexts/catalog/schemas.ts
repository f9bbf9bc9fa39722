import { type Static, Type } from 'typebox'
import {
  AnyObject,
  Body,
  Cents,
  CentsOut,
  CurrencyCode,
  DecimalText,
  FractionText,
  InstantOut,
  InstantText,
  Nullable,
  OneOf,
  PeriodBody,
  PeriodOut,
  PeriodText,
  PositiveDecimalText,
  Reason,
  TextOf,
  UnsignedDecimalText,
  WrittenDecimalText,
} from '../../platform/wire.ts'
import { type Charge, type LineKind, PRICE_MAX_PLACES, type Quote, type SegmentMode } from '../pricing/index.ts'
import { AssumedTaxOut, TenantId } from '../tenants/index.ts'

// The catalogue on the wire: what is accepted first, what is answered after it.

const CHARGES_MAX = 100
const TIERS_MAX = 100
const FILTER_PROPERTIES_MAX = 10
const FILTER_VALUES_MAX = 100
const QUOTE_ADDONS_MAX = 100
const QUOTE_LLM_CHARGES_MAX = 10_000
const QUOTE_USAGE_MAX = 1_000
const QUOTE_EVENTS_MAX = 10_000
const QUOTE_DISCOUNTS_MAX = 100
const EVENT_PROPERTIES_MAX = 100

const MeterCode = Type.String({
  pattern: '^[a-z][a-z0-9_]{0,62}$',
  expected: 'small letters, digits and _, a letter first, at most 63, such as api_calls',
})
/** Where a meter is only named, what is no code is as unknown as one that nobody registered. */
const NamedMeter = TextOf({ minLength: 1, maxLength: 63 })
const Code = Type.String({
  pattern: '^[a-z][a-z0-9_-]{0,62}$',
  expected: 'small letters, digits, _ and -, a letter first, at most 63, such as studio-2',
})
const Name = TextOf({ minLength: 1, maxLength: 200 })
const Unit = TextOf({ minLength: 1, maxLength: 50 })
/** A draft may be wrong: here a value has its form, and publishing names those that cannot be rated. */
const PriceText = Type.String({
  ...DecimalText,
  description: `A price or rate in major units, as a string; published, not negative and with at most ${PRICE_MAX_PLACES} digits after the point`,
})
const SizeText = Type.String({ ...DecimalText, description: 'An exact decimal, as a string; published, above 0' })
const AmountText = Type.String({
  ...DecimalText,
  description: 'An exact decimal, as a string; published, not negative',
})

const AGGREGATIONS = ['sum', 'count', 'max', 'last', 'unique_count', 'time_weighted_sum'] as const
export const MeterBody = Body({
  code: MeterCode,
  name: Name,
  unit: Unit,
  aggregation: OneOf(AGGREGATIONS),
  unique_property: Type.Optional(
    TextOf({ minLength: 1, maxLength: 100, description: 'For unique_count alone: what is counted' }),
  ),
})

const Tiers = Type.Array(
  Body({
    up_to: Nullable(AmountText),
    unit_price: PriceText,
    flat_price: Type.Optional(Nullable(PriceText)),
  }),
  { maxItems: TIERS_MAX },
)
const Filter = Type.Record(Type.String(), Type.Array(TextOf(), { maxItems: FILTER_VALUES_MAX }), {
  propertyNames: TextOf(),
  description: 'Only events of which each property named is one of its values; a charge without one takes the rest',
  maxProperties: FILTER_PROPERTIES_MAX,
})
const charged = {
  meter: NamedMeter,
  filter: Type.Optional(Nullable(Filter)),
  included_quantity: Type.Optional(Nullable(AmountText)),
  min_amount: Type.Optional(Nullable(PriceText)),
  max_amount: Type.Optional(Nullable(PriceText)),
}
const TIERED =
  'graduated, where each unit has the price of its own tier, or volume, where all have that of the tier reached'

/** The discriminator keeps the faults of the models that were not meant out of the answer. */
const ChargeSchema = Type.Unsafe<Charge>({
  type: 'object',
  required: ['model'],
  discriminator: { propertyName: 'model' },
  meant: { tiered: TIERED, tiers: TIERED, flat: 'per_unit, or base_price_cents of the plan', percent: 'percentage' },
  oneOf: [
    Body({ ...charged, model: Type.Literal('per_unit'), unit_price: PriceText }),
    Body({ ...charged, model: Type.Literal('graduated'), tiers: Tiers }),
    Body({ ...charged, model: Type.Literal('volume'), tiers: Tiers }),
    Body({ ...charged, model: Type.Literal('package'), package_size: SizeText, package_price: PriceText }),
    Body({
      ...charged,
      model: Type.Literal('percentage'),
      rate: Type.String({ ...PriceText, expected: 'a fraction as text, such as "0.029" for 2.9 %' }),
      fixed_per_event: Type.Optional(Nullable(PriceText)),
      min_per_event: Type.Optional(Nullable(PriceText)),
      max_per_event: Type.Optional(Nullable(PriceText)),
    }),
  ],
})

export const Charges = Type.Array(ChargeSchema, { maxItems: CHARGES_MAX })
export const PlanVersionBody = Body({
  currency: CurrencyCode,
  interval: Type.Optional(OneOf(['month', 'year'])),
  base_price_cents: Cents(),
  proration: Type.Optional(OneOf(['daily', 'none'])),
  commitment_cents: Type.Optional(Nullable(Cents())),
  charges: Type.Optional(Charges),
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

/** What is attached already keeps its snapshot. */
export const AddonChangesBody = Body({
  name: Type.Optional(Name),
  price_cents: Type.Optional(Cents({ minimum: 0 })),
  quantity: Type.Optional(UnsignedDecimalText),
  unit: Type.Optional(Nullable(Unit)),
  reason: Type.Optional(Reason),
})
export const RenameBody = Body({ name: Name, reason: Type.Optional(Reason) })

/** The kinds of a subscription's own lines: what a discount may be taken off. */
const DISCOUNTED_KINDS = ['plan_base', 'addon', 'usage', 'overage', 'minimum'] as const satisfies readonly LineKind[]
/** The terms of a discount, of which exactly one of `rate` and `amount_cents` is given. */
export const discountFields = {
  name: Name,
  rate: Type.Optional(Type.String({ ...FractionText, description: 'A fraction above 0 and at most 1' })),
  amount_cents: Type.Optional(Cents({ minimum: 1 })),
  line_kinds: Type.Optional(
    Nullable(
      Type.Array(OneOf(DISCOUNTED_KINDS), { minItems: 1, maxItems: DISCOUNTED_KINDS.length, uniqueItems: true }),
    ),
  ),
}

/** What takes the place of a plan version's prices; at least one of them is given. */
export const overrideFields = {
  base_price_cents: Type.Optional(Cents({ minimum: 0 })),
  commitment_cents: Type.Optional(Cents({ minimum: 0 })),
  charges: Type.Optional(Charges),
}

const PlanReference = Body({ code: Code, version: Type.Optional(Type.Integer({ minimum: 1 })) })
const QuotedAddonDays = Type.Optional(
  Type.Unsafe<Static<typeof PeriodBody>>({
    ...PeriodBody,
    description: 'Its days among those that are quoted. Default: all of them',
  }),
)
const AddonReference = Body({ code: Code, quantity: Type.Optional(PositiveDecimalText), active: QuotedAddonDays })
const InlineAddon = Body({
  code: Code,
  name: Name,
  price_cents: Cents({ minimum: 0 }),
  quantity: UnsignedDecimalText,
  unit: Type.Optional(Nullable(Unit)),
  grants_meter: Type.Optional(Nullable(MeterCode)),
  active: QuotedAddonDays,
})
/**
 * What an event says of its usage, wherever events come in: values that a filter compares and an aggregation counts as
 * text. A list or an object has no one text, so that a quote and the metered usage could count it differently.
 */
export const EventProperties = Type.Record(
  Type.String(),
  Type.Unsafe<string | number | boolean | null>({ ...TextOf(), type: ['string', 'number', 'boolean', 'null'] }),
  {
    propertyNames: TextOf(),
    maxProperties: EVENT_PROPERTIES_MAX,
    description: 'Each a text, a number, true, false or null',
  },
)
const UsageEvent = Body({
  quantity: DecimalText,
  properties: Type.Optional(EventProperties),
  occurred_at: Type.Optional(InstantText),
})
const Override = Body(overrideFields)
const SEGMENT_MODES = ['normal', 'trial', 'paused'] as const satisfies readonly SegmentMode[]
const Discounts = Type.Array(Body(discountFields), { maxItems: QUOTE_DISCOUNTS_MAX })
const QuotedYear = Type.Object(
  {
    ...PeriodBody.properties,
    discounts: Type.Optional(
      Type.Unsafe<Static<typeof Discounts>>({
        ...Discounts,
        description: 'Those of the month in which the year began. Default: those of the quote',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'For a yearly plan: the plan year, where it does not begin with the days that are quoted',
  },
)
export const QuoteBody = Body({
  plan: Type.Union([PlanReference, PlanVersionBody]),
  override: Type.Optional(
    Type.Unsafe<Static<typeof Override>>({ ...Override, description: 'Prices that one subscription has of its own' }),
  ),
  mode: Type.Optional(OneOf(SEGMENT_MODES)),
  addons: Type.Optional(Type.Array(Type.Union([AddonReference, InlineAddon]), { maxItems: QUOTE_ADDONS_MAX })),
  usage: Type.Optional(
    Type.Record(
      Type.String(),
      Type.Union([UnsignedDecimalText, Type.Array(UsageEvent, { maxItems: QUOTE_EVENTS_MAX })]),
      {
        description:
          'By meter: events, which its aggregation adds up and the filters divide, or a quantity. A quantity may also ' +
          'be that of a charge with a filter, as in requests[region=syd1|syd2,tier=a].',
        propertyNames: TextOf(),
        maxProperties: QUOTE_USAGE_MAX,
      },
    ),
  ),
  llm_charges: Type.Optional(Type.Array(WrittenDecimalText, { maxItems: QUOTE_LLM_CHARGES_MAX })),
  period: Type.Union([PeriodText, PeriodBody]),
  active: Type.Optional(
    Type.Unsafe<Static<typeof PeriodBody>>({
      ...PeriodBody,
      description:
        'Default: the period. One that ends where it starts is a subscription that is cancelled on its first day',
    }),
  ),
  left: Type.Optional(
    Type.Boolean({
      description:
        'Whether the subscription ends with the days that are quoted: what is used on the next day of the period counts, ' +
        'and the rest of a plan year is given back. Default: whether they end before the period does',
    }),
  ),
  year: Type.Optional(QuotedYear),
  discounts: Type.Optional(Discounts),
  tax: Type.Optional(Body({ name: TextOf({ minLength: 1, maxLength: 50 }), rate: FractionText })),
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
export const ChargesOut = Type.Unsafe<readonly Charge[]>(Type.Array(ChargeSchema))
export const PlanVersionOut = Type.Object({
  id: Type.String(),
  plan_code: Type.String(),
  version: Type.Integer(),
  status: Type.String(),
  currency: Type.String(),
  interval: Type.String(),
  base_price_cents: CentsOut,
  proration: Type.String(),
  commitment_cents: Nullable(CentsOut),
  charges: ChargesOut,
  created_at: InstantOut,
  published_at: Nullable(InstantOut),
  retired_at: Nullable(InstantOut),
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
const quoteFields = {
  currency: Type.String(),
  lines: Type.Unsafe<Quote['lines']>(Type.Array(Type.Object(quoteLineFields))),
  subtotal_cents: CentsOut,
  tax_cents: CentsOut,
  total_cents: CentsOut,
  engine_version: Type.String(),
}
export const QuoteOut = Type.Object(quoteFields)
/** With what was assumed of the tax; left out where the request or the tenant gives it. */
export const GivenQuoteOut = Type.Object({ ...quoteFields, tax_assumed: Type.Optional(AssumedTaxOut) })
