import { decimal, plain, sum } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import { isBefore, type Period } from '../../kernel/period.ts'
import { type Fault, invalidInput } from '../../kernel/problem.ts'
import type { Reader } from '../../platform/db.ts'
import { found, readPeriodBody, requireCurrency } from '../../platform/wire.ts'
import { type AddonTerms, checkCharges, type PlanTerms, quote, type Quote, type TaxTerms } from '../pricing/index.ts'
import { taxTermsOf, type Tenant } from '../tenants/index.ts'
import { BUILT_IN_METERS, type NewMeter } from './meter.ts'
import { type Addon, planTermsOf } from './plan.ts'
import { currencyMismatch, unknownMeter } from './problems.ts'
import { findPublishedVersion, readAddons, readMeters, readPlanTerms } from './queries.ts'
import type { QuoteRequest } from './schemas.ts'

/**
 * The engine on given facts. `scope` is the only tenant the caller may name; null means any. Without a tenant or a tax
 * there is no tax. Throws `catalog/unknown-plan`, `catalog/plan-not-published`, `catalog/unknown-addon`,
 * `catalog/unknown-meter`, `catalog/currency-mismatch`, `request/invalid` for what an inline plan or a period has wrong, and 404 for the tenant.
 */
export async function quoteGiven(
  reader: Reader,
  request: QuoteRequest,
  { scope }: { scope: string | null },
): Promise<Quote> {
  const { period, active } = readPeriods(request)
  const plan = await loadPlan(reader, request.plan)
  await requireMeters(reader, { usage: request.usage ?? {}, plan })
  const addons = await loadAddons(reader, request.addons ?? [])
  const tenant = await loadTenant(reader, { tenant_id: request.tenant_id ?? scope, scope })
  requireOneCurrency(plan, { addons, tenant })
  const segment = { active, mode: 'normal' as const, plan, addons, usage: request.usage ?? {} }
  const owner = { deployment_id: null, subscription_id: null }
  const charges = request.llm_charges ?? []
  return quote({
    currency: plan.currency,
    period,
    tax: taxOf(request, tenant),
    subscriptions: [{ ...owner, segments: [segment] }],
    llm: [{ ...owner, charge: plain(sum(charges.map(decimal))), event_count: charges.length, service_period: period }],
    adjustments: [],
  })
}

function readPeriods(request: QuoteRequest): { period: Period; active: Period } {
  const period = readPeriodBody(request.period, 'period')
  const active = request.active === undefined ? period : readPeriodBody(request.active, 'active')
  if (isBefore(active.start, period.start) || isBefore(period.end, active.end)) {
    throw invalidInput('The request is not valid.', [{ path: 'active', message: 'must lie within period' }])
  }
  return { period, active }
}

async function loadPlan(reader: Reader, given: QuoteRequest['plan']): Promise<PlanTerms> {
  if ('code' in given) {
    const { id } = await findPublishedVersion(reader, given)
    return present((await readPlanTerms(reader, [id])).get(id), 'a published version has terms')
  }
  requireCurrency(given.currency, 'plan/currency')
  const terms = planTermsOf(given)
  const faults = checkCharges(terms)
  if (faults.length > 0) throw invalidInput('The plan cannot be rated.', faults.map(belowPlan))
  return terms
}

function belowPlan(fault: Fault): Fault {
  return 'path' in fault ? { ...fault, path: `plan/${fault.path}` } : fault
}

/** A meter of the catalogue that the plan does not price costs nothing; one that nobody knows is a mistake. */
async function requireMeters(
  reader: Reader,
  { usage, plan }: { usage: NonNullable<QuoteRequest['usage']>; plan: PlanTerms },
): Promise<void> {
  const registered = await readMeters(reader, Object.keys(usage))
  const known = new Set([...plan.charges.map(({ meter }) => meter), ...[...BUILT_IN_METERS, ...registered].map(codeOf)])
  const faults = Object.keys(usage)
    .filter((code) => !known.has(code))
    .map((code) => ({ path: `usage/${code}`, message: `there is no meter ${code}` }))
  if (faults.length > 0) throw unknownMeter('GET /meters lists the meters.', faults)
}

const codeOf = ({ code }: NewMeter): string => code

/** Add-on terms, and the currency of those that come from the catalogue. */
type QuotedAddon = AddonTerms & { currency: string | null }

async function loadAddons(reader: Reader, given: NonNullable<QuoteRequest['addons']>): Promise<QuotedAddon[]> {
  const codes = given.flatMap((addon) => ('price_cents' in addon ? [] : [addon.code]))
  const sold = new Map((await readAddons(reader, codes)).map((addon) => [addon.code, addon]))
  return given.map((addon) => quotedAddon(addon, sold.get(addon.code)))
}

function quotedAddon(given: NonNullable<QuoteRequest['addons']>[number], sold: Addon | undefined): QuotedAddon {
  if ('price_cents' in given) {
    const { unit = null, grants_meter = null, price_cents, ...rest } = given
    return { id: null, ...rest, price_cents: BigInt(price_cents), unit, grants_meter, currency: null }
  }
  const { created_at: _created_at, ...terms } = present(sold, 'unknown add-ons have been refused')
  return { id: null, ...terms, quantity: given.quantity ?? terms.quantity }
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
  return found(row, 'tenant')
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

function taxOf({ tax }: QuoteRequest, tenant: Tenant | null): TaxTerms {
  if (tax) return { treatment: 'taxable', ...tax }
  return tenant ? taxTermsOf(tenant) : { treatment: 'export', name: null, rate: null }
}
