import { CONTRACT_DIGITS, type Decimal, fitsContract, plain, readDecimal, sum } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import { knownHint } from '../../kernel/nearest.ts'
import { days, instantsOf, isBefore, type Period } from '../../kernel/period.ts'
import { type Fault, invalidInput, type Problem } from '../../kernel/problem.ts'
import type { Reader } from '../../platform/db.ts'
import { found, readPeriod, readPeriodBody, requireCurrency } from '../../platform/wire.ts'
import {
  amountTooLargeIn,
  type AttachedAddon,
  checkCharges,
  type DiscountTerms,
  overridden,
  type PlanTerms,
  type PlanYear,
  type PriceOverride,
  quote,
  type Quote,
  type SegmentFacts,
  type SegmentMode,
  type TaxTerms,
  usageKey,
} from '../pricing/index.ts'
import { type AssumedTax, assumedTaxOf, taxTermsOf, type Tenant } from '../tenants/index.ts'
import { discountFaults, discountTermsOf } from './discount.ts'
import { readMeterCodes } from './codes.ts'
import { BUILT_IN_METERS, type NewMeter } from './meter.ts'
import { type Addon, planTermsOf } from './plan.ts'
import { amountTooLarge, currencyMismatch, unknownMeter } from './problems.ts'
import { findPublishedVersion, planFaults, readAddons, readMeters, readPlanTerms } from './queries.ts'
import { meterOf, quotedUsage } from './quoted-usage.ts'
import type { QuoteRequest } from './schemas.ts'

/**
 * The engine on given facts. `scope` is the only tenant the caller may name; null means any. Without a tenant or a tax
 * there is no tax, and times are those of UTC. Throws `catalog/unknown-plan`, `catalog/plan-not-published`,
 * `catalog/unknown-addon`, `catalog/unknown-meter`, `catalog/currency-mismatch`, `catalog/amount-too-large`,
 * `request/invalid` for what an inline plan, an override, a period, a discount or the usage has wrong, and 404 for the tenant. For a
 * tenant, a draft is an unknown plan.
 */
export async function quoteGiven(
  reader: Reader,
  request: QuoteRequest,
  { scope }: { scope: string | null },
): Promise<Quote & { tax_assumed?: AssumedTax }> {
  const { period, active } = readPeriods(request)
  const discounts = readDiscounts(request.discounts ?? [], 'discounts')
  const is_left = request.left ?? isBefore(active.end, period.end)
  const meters = await loadMeters(reader, request)
  const version = await loadPlan(reader, request.plan, { meters, scope })
  const plan = overridden(version, await loadOverride(reader, request.override, version))
  const mode = request.mode ?? 'normal'
  await requireMeters(reader, request.usage ?? {}, { plan, meters })
  const addons = await loadAddons(reader, request.addons ?? [], active)
  const tenant = await loadTenant(reader, { tenant_id: request.tenant_id ?? scope, scope })
  requireOneCurrency(plan, { addons, tenant })
  const window = instantsOf(meteredDays(active, { is_left, period }), tenant?.timezone ?? 'UTC')
  const segment: SegmentFacts = {
    active,
    mode,
    plan,
    ...quotedUsage(request.usage ?? {}, { charges: plan.charges, meters, window }),
    year: readYear(request, { plan, mode, active, is_left, discounts }),
  }
  const owner = { deployment_id: null, subscription_id: null }
  const charges = readLlmCharges(request.llm_charges ?? [])
  const quoted = quote({
    currency: plan.currency,
    period,
    tax: taxOf(request, tenant),
    subscriptions: [{ ...owner, segments: [segment], addons, discounts }],
    llm: [{ ...owner, charge: plain(sum(charges)), event_count: charges.length, service_period: period }],
    adjustments: [],
  })
  const too_large = amountTooLargeIn(quoted)
  if (too_large !== null) throw amountTooLarge(too_large)
  const tax_assumed = assumedTax(request, tenant)
  return { ...quoted, ...(tax_assumed && { tax_assumed }) }
}

function readPeriods(request: QuoteRequest): { period: Period; active: Period } {
  const period = readPeriod(request.period, 'period')
  const active = request.active === undefined ? period : readPeriodBody(request.active, 'active', { or_none: true })
  if (isBefore(active.start, period.start) || !isBefore(active.start, period.end) || isBefore(period.end, active.end)) {
    throw invalidInput('The request is not valid.', [{ path: 'active', message: 'must lie within period' }])
  }
  return { period, active }
}

/** As on an invoice, what is used on the day of the end counts, where it is of the period, although the day is not billed. */
function meteredDays({ start, end }: Period, { is_left, period }: { is_left: boolean; period: Period }): Period {
  return { start, end: is_left && isBefore(end, period.end) ? end.add({ days: 1 }) : end }
}

function readDiscounts(given: NonNullable<QuoteRequest['discounts']>, path: string): DiscountTerms[] {
  const faults = given.flatMap((discount, index) =>
    discountFaults(discount).map((fault) => below(`${path}/${index}`, fault)),
  )
  if (faults.length > 0) throw invalidInput('The discounts cannot be applied.', faults)
  return given.map((discount) => ({ id: null, ...discountTermsOf(discount) }))
}

/** As the gateway sends them: exact, in plain notation or with an exponent. */
function readLlmCharges(given: readonly string[]): Decimal[] {
  return given.map((text, index) => {
    const charge = readDecimal(text)
    if (charge !== undefined && fitsContract(charge)) return charge
    throw invalidInput('The request is not valid.', [
      { path: `llm_charges/${index}`, message: `must have ${CONTRACT_DIGITS}` },
    ])
  })
}

/** The days of a leap year. */
const YEAR_MAX_DAYS = 366

/**
 * The plan year of a yearly plan: the given one, or else the one that begins with the days that are quoted, with the
 * discounts that it was billed under.
 */
function readYear(
  request: QuoteRequest,
  of: {
    plan: PlanTerms
    mode: SegmentMode
    active: Period
    is_left: boolean
    discounts: readonly DiscountTerms[]
  },
): PlanYear | null {
  const { plan, mode, active } = of
  if (plan.interval === 'month') {
    if (request.year === undefined) return null
    throw badYear('belongs to a yearly plan; this one is monthly')
  }
  if (mode === 'trial' || active.start.equals(active.end)) return null
  const { start, end } =
    request.year === undefined
      ? { start: active.start, end: active.start.add({ years: 1 }) }
      : readPeriodBody(request.year, 'year')
  const length = days({ start, end })
  if (length < YEAR_MAX_DAYS - 1 || length > YEAR_MAX_DAYS) throw badYear('must be a year long')
  if (isBefore(active.start, start) || isBefore(end, active.end)) {
    throw badYear('must hold all days that are quoted; quote those of the next year by themselves')
  }
  const given = request.year?.discounts
  return {
    period: { start, end },
    is_left: of.is_left && isBefore(active.end, end),
    discounts: given === undefined ? of.discounts : readDiscounts(given, 'year/discounts'),
  }
}

function badYear(message: string): Problem {
  return invalidInput('The request is not valid.', [{ path: 'year', message }])
}

/** The meters that plan, override and usage name, by code. */
async function loadMeters(
  reader: Reader,
  { plan, override, usage = {} }: QuoteRequest,
): Promise<ReadonlyMap<string, NewMeter>> {
  const charges = [...('code' in plan ? [] : (plan.charges ?? [])), ...(override?.charges ?? [])]
  const priced = charges.map(({ meter }) => meter)
  const registered = await readMeters(reader, [...priced, ...Object.keys(usage).map(meterOf)])
  return new Map([...BUILT_IN_METERS, ...registered].map((meter) => [meter.code, meter]))
}

async function loadPlan(
  reader: Reader,
  given: QuoteRequest['plan'],
  { meters, scope }: { meters: ReadonlyMap<string, NewMeter>; scope: string | null },
): Promise<PlanTerms> {
  if ('code' in given) {
    const named = { ...given, drafts: scope === null }
    const { id } = await findPublishedVersion(reader, named, { code: 'plan/code', version: 'plan/version' })
    return present((await readPlanTerms(reader, [id])).get(id), 'a published version has terms')
  }
  requireCurrency(given.currency, 'plan/currency')
  const terms = planTermsOf(given)
  const aggregations = new Map([...meters].map(([code, { aggregation }]) => [code, aggregation]))
  const faults = checkCharges(terms, aggregations)
  if (faults.length > 0)
    throw invalidInput(
      'The plan cannot be rated.',
      faults.map((fault) => below('plan', fault)),
    )
  return terms
}

async function loadOverride(
  reader: Reader,
  given: QuoteRequest['override'],
  { currency }: PlanTerms,
): Promise<PriceOverride | null> {
  if (given === undefined) return null
  const { base_price_cents, commitment_cents, charges = [] } = given
  const faults = await planFaults(reader, { currency, charges })
  if (faults.length > 0)
    throw invalidInput(
      'The override cannot be rated.',
      faults.map((fault) => below('override', fault)),
    )
  return {
    base_price_cents: base_price_cents === undefined ? null : BigInt(base_price_cents),
    commitment_cents: commitment_cents === undefined ? null : BigInt(commitment_cents),
    charges,
  }
}

function below(place: string, fault: Fault): Fault {
  return 'path' in fault ? { ...fault, path: `${place}/${fault.path}` } : fault
}

/** A meter of the catalogue that the plan does not price costs nothing; one that nobody knows is a mistake. */
async function requireMeters(
  reader: Reader,
  usage: NonNullable<QuoteRequest['usage']>,
  { plan, meters }: { plan: PlanTerms; meters: ReadonlyMap<string, NewMeter> },
): Promise<void> {
  const priced = new Set(plan.charges.flatMap((charge) => [charge.meter, usageKey(charge)]))
  const unknown = Object.keys(usage).filter((key) => !priced.has(key) && !meters.has(key))
  if (unknown.length === 0) return
  const known = await readMeterCodes(reader)
  const faults = unknown.map((key) => ({
    path: `usage/${key}`,
    message:
      meterOf(key) === key ? `there is no meter ${key}${knownHint(key, known)}` : `the plan has no charge ${key}`,
  }))
  throw unknownMeter('GET /meters lists the meters.', faults)
}

/** Add-on terms, and the currency of those that come from the catalogue. */
type QuotedAddon = AttachedAddon & { currency: string | null }

type GivenAddon = NonNullable<QuoteRequest['addons']>[number]

async function loadAddons(reader: Reader, given: readonly GivenAddon[], quoted: Period): Promise<QuotedAddon[]> {
  const codes = given.flatMap((addon) => ('price_cents' in addon ? [] : [addon.code]))
  const sold = new Map((await readAddons(reader, codes)).map((addon) => [addon.code, addon]))
  return given.map((addon, index) => {
    const active = readAddonDays(addon, { path: `addons/${index}/active`, quoted })
    return quotedAddon(addon, { active, sold: sold.get(addon.code) })
  })
}

function readAddonDays({ active }: GivenAddon, { path, quoted }: { path: string; quoted: Period }): Period {
  if (active === undefined) return quoted
  const read = readPeriodBody(active, path)
  if (isBefore(read.start, quoted.start) || isBefore(quoted.end, read.end)) {
    throw invalidInput('The request is not valid.', [
      { path, message: `must lie within the days that are quoted, ${quoted.start} to ${quoted.end}` },
    ])
  }
  return read
}

function quotedAddon(given: GivenAddon, { active, sold }: { active: Period; sold: Addon | undefined }): QuotedAddon {
  if ('price_cents' in given) {
    const { unit = null, grants_meter = null, price_cents, ...rest } = given
    return { id: null, ...rest, active, price_cents: BigInt(price_cents), unit, grants_meter, currency: null }
  }
  const { created_at: _created_at, ...terms } = present(sold, 'unknown add-ons have been refused')
  return { id: null, ...terms, active, quantity: given.quantity ?? terms.quantity }
}

async function loadTenant(
  reader: Reader,
  { tenant_id, scope }: { tenant_id: string | null; scope: string | null },
): Promise<Tenant | null> {
  if (tenant_id === null) return null
  const row = await reader
    .selectFrom('tenants.tenant')
    .selectAll()
    .where('id', '=', tenant_id)
    .$if(scope !== null, (query) => query.where('id', '=', scope))
    .executeTakeFirst()
  return found(row, `tenant: ${tenant_id}`)
}

function requireOneCurrency(
  plan: PlanTerms,
  { addons, tenant }: { addons: readonly QuotedAddon[]; tenant: Tenant | null },
): void {
  const faults = addons.flatMap(({ currency }, index): Fault[] =>
    currency === null || currency === plan.currency
      ? []
      : [{ path: `addons/${index}/code`, message: `is sold in ${currency}` }],
  )
  if (tenant && tenant.currency !== plan.currency) {
    faults.push({ path: 'tenant_id', message: `is billed in ${tenant.currency}` })
  }
  if (faults.length > 0) throw currencyMismatch(`The plan is in ${plan.currency}; nothing is converted.`, faults)
}

/** What was assumed of the tax, where the request does not give it. */
function assumedTax({ tax }: QuoteRequest, tenant: Tenant | null): AssumedTax | null {
  if (tax) return null
  if (tenant) return assumedTaxOf(tenant)
  return { terms: ['treatment'], country: null, reason: 'Neither a tax nor a tenant was given; no tax is charged.' }
}

function taxOf({ tax }: QuoteRequest, tenant: Tenant | null): TaxTerms {
  if (tax) return { treatment: 'taxable', ...tax }
  return tenant ? taxTermsOf(tenant) : { treatment: 'export', name: null, rate: null }
}
