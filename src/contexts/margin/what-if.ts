import { sql } from 'kysely'
import { present } from '../../kernel/invariant.ts'
import type { Currency } from '../../kernel/money.ts'
import { dateIn, isBefore, monthLabel, monthOf, monthsOf, type Period } from '../../kernel/period.ts'
import { invalidInput, Problem } from '../../kernel/problem.ts'
import { anyOf, type Reader } from '../../platform/db.ts'
import {
  type Attempt,
  attempt,
  failureOf,
  readBillableFacts,
  readTenants,
  type Substitution,
  valueOf,
} from '../invoicing/index.ts'
import { giveWay } from '../../platform/turns.ts'
import { type Phase, quote, type QuoteFacts } from '../pricing/index.ts'
import type { Tenant } from '../tenants/index.ts'
import { mixedCurrencies, noExchangeRate } from './conversion.ts'
import { type Margin, marginOf } from './margin.ts'
import { readBooks } from './queries.ts'
import { accrued, isYearly } from './what-if-accrual.ts'
import { type AskedPlan, readAskedPlan, underPlan, type WhatIfPlan } from './what-if-plan.ts'
import { type LeftOut, type RatedMonth, reportOf, type WhatIfReport } from './what-if-report.ts'

export type WhatIfQuestion = {
  plan: WhatIfPlan
  /** The first and the last calendar month. */
  from: Period
  to: Period
  now: Temporal.Instant
  on_progress?: (progress: { done: number; total: number }) => void
}

/** `plan_version` is null for terms that are in no version; `from` and `to` are months (`2026-04`). */
export type WhatIf = WhatIfReport & { plan_code: string; plan_version: number | null; from: string; to: string }

const WHAT_IF_MAX_MONTHS = 36
const TENANTS_PER_BATCH_MAX = 500

/**
 * Rates history under other prices: every deployment that had the plan in a month, under whatever version, once as it was
 * agreed and once as if it had been on the asked version, with the usage that occurred. It is the engine and the facts of
 * the invoices, and nothing is stored; only yearly prices count by the days of their years, whenever they are billed.
 * Usage of the running month counts up to `now`. Throws what `readAskedPlan` throws, and `request/invalid` for months that
 * make no sense.
 */
export async function whatIf(reader: Reader, question: WhatIfQuestion): Promise<WhatIf> {
  const months = askedMonths(question)
  const asked = await readAskedPlan(reader, question.plan)
  const { currency } = asked.plan
  const due = await readDue(reader, { asked, months })
  const total = due.reduce((count, { tenant_ids }) => count + tenant_ids.length, 0)
  const rated: RatedMonth[] = []
  const left_out: LeftOut[] = []
  const hints = new Set<string>()
  let done = 0
  for (const { month, tenant_ids } of due) {
    const costs = await readCosts(reader, { month, currency })
    if (costs.hint !== null) hints.add(costs.hint)
    for (let first = 0; first < tenant_ids.length; first += TENANTS_PER_BATCH_MAX) {
      const batch = tenant_ids.slice(first, first + TENANTS_PER_BATCH_MAX)
      const part = await rateBatch(reader, { asked, month, tenant_ids: batch, costs, as_of: question.now })
      rated.push(...part.rated)
      left_out.push(...part.left_out)
      done += batch.length
      question.on_progress?.({ done, total })
    }
  }
  return {
    plan_code: asked.plan.code,
    plan_version: asked.plan.version,
    from: monthLabel(question.from),
    to: monthLabel(question.to),
    ...reportOf(rated, { currency, left_out, hints: [...hints] }),
  }
}

function askedMonths({ from, to, now }: WhatIfQuestion): Period[] {
  if (isBefore(to.start, from.start)) throw refusal(`must not be before ${monthLabel(from)}`)
  // Nowhere is it later than the next day of UTC.
  const running = monthOf(dateIn(now, 'UTC').add({ days: 1 }))
  if (isBefore(running.start, to.start)) throw refusal(`must not be after ${monthLabel(running)}: it is history`)
  const months = monthsOf({ start: from.start, end: to.end })
  if (months.length > WHAT_IF_MAX_MONTHS) throw refusal(`must be at most ${WHAT_IF_MAX_MONTHS} months on`)
  return months
}

function refusal(message: string): Problem {
  return invalidInput('The months are not valid.', [{ path: 'to', message }])
}

type Due = { month: Period; tenant_ids: string[] }

/** Who had the plan in which month, or ended it on a day of it: what is used on that day may be the month's. */
async function readDue(
  reader: Reader,
  { asked, months }: { asked: AskedPlan; months: readonly Period[] },
): Promise<Due[]> {
  const due: Due[] = []
  for (const month of months) {
    const rows = await reader
      .selectFrom('subscriptions.phase')
      .select('tenant_id')
      .distinct()
      .where('plan_version_id', '=', anyOf([...asked.versions]))
      .where(sql<boolean>`daterange(starts_on, ends_on, '[]') && daterange(${month.start}::date, ${month.end}::date)`)
      .orderBy('tenant_id')
      .execute()
    due.push({ month, tenant_ids: rows.map((row) => row.tenant_id) })
  }
  return due
}

/** Of the month's bills, by deployment, in minor units; what is not there is not known. */
type Costs = { cents: ReadonlyMap<string, bigint>; hint: string | null }

async function readCosts(reader: Reader, { month, currency }: { month: Period; currency: Currency }): Promise<Costs> {
  const costs = await readMargin(reader, { month, currency })
  if (costs instanceof Problem) {
    return { cents: new Map(), hint: `The cost of ${monthLabel(month)} is left out: ${costs.message}` }
  }
  const known = costs.rows.flatMap(({ deployment_id, cost_cents }): [string, bigint][] =>
    deployment_id === null || cost_cents === null ? [] : [[deployment_id, cost_cents]],
  )
  return { cents: new Map(known), hint: null }
}

/** Of the bills alone: what was invoiced is no part of the question. Or why they cannot be converted. */
async function readMargin(
  reader: Reader,
  { month, currency }: { month: Period; currency: Currency },
): Promise<Margin | Problem> {
  const books = await readBooks(reader, { period: month, currency })
  try {
    return marginOf({ ...books, revenue: [] }, { group_by: 'deployment', currency })
  } catch (error) {
    if (error instanceof Problem && error.code === noExchangeRate.kind.code) return error
    throw error
  }
}

type Batch = {
  asked: AskedPlan
  month: Period
  tenant_ids: readonly string[]
  costs: Costs
  as_of: Temporal.Instant
}

async function rateBatch(
  reader: Reader,
  { asked, month, tenant_ids, costs, as_of }: Batch,
): Promise<{ rated: RatedMonth[]; left_out: LeftOut[] }> {
  const tenants = await readTenants(reader, tenant_ids)
  const scope = { period: month, tenants, as_of }
  const now = await readBillableFacts(reader, scope)
  const then = await readBillableFacts(reader, { ...scope, instead: await substitution(reader, asked, tenant_ids) })
  const rated: RatedMonth[] = []
  const left_out: LeftOut[] = []
  for (const tenant of tenants) {
    await giveWay()
    const both = [now.get(tenant.id), then.get(tenant.id)] as const
    const result = attempt(() => ratedMonth(tenant, both, { asked, costs }))
    if (result.ok) rated.push(...result.value)
    else left_out.push({ tenant_id: tenant.id, month: monthLabel(month), ...failureOf(result.error) })
  }
  return { rated, left_out }
}

async function substitution(reader: Reader, asked: AskedPlan, tenant_ids: readonly string[]): Promise<Substitution> {
  const { plan_version_id, plan } = asked
  const histories = plan.interval === 'year' ? await readHistories(reader, tenant_ids) : new Map<string, Phase[]>()
  return {
    subscription: (agreed) => underPlan(agreed, asked, histories.get(agreed.subscription_id) ?? []),
    plans: new Map([[plan_version_id, plan]]),
  }
}

/** All phases ever, by subscription: a year may have begun long before the month. */
async function readHistories(reader: Reader, tenant_ids: readonly string[]): Promise<Map<string, Phase[]>> {
  const rows = await reader
    .selectFrom('subscriptions.phase')
    .select(['subscription_id', 'mode', 'plan_version_id', 'override_id', 'starts_on as start', 'ends_on as end'])
    .where('tenant_id', '=', anyOf(tenant_ids))
    .orderBy('starts_on')
    .execute()
  return Map.groupBy(rows, (row) => row.subscription_id)
}

type Facts = Attempt<QuoteFacts> | undefined

function ratedMonth(
  { id, legal_name, currency }: Tenant,
  [facts_now, facts_then]: readonly [Facts, Facts],
  { asked, costs }: { asked: AskedPlan; costs: Costs },
): RatedMonth[] {
  requireCurrency(currency, asked)
  const promise = 'the facts of every tenant asked for are read'
  const now = ofPlan(valueOf(present(facts_now, promise)), asked)
  const then = ofPlan(valueOf(present(facts_then, promise)), asked)
  // Nothing was used on the day that it ended.
  if (now.deployment_ids.size === 0) return []
  return [
    {
      tenant_id: id,
      legal_name,
      now_cents: quote(accrued(now.facts)).subtotal_cents,
      then_cents: quote(accrued(then.facts)).subtotal_cents,
      is_yearly: isYearly(now.facts) || isYearly(then.facts),
      costs_cents: [...now.deployment_ids].map((deployment_id) => costs.cents.get(deployment_id) ?? null),
    },
  ]
}

/** Throws `margin/mixed-currencies`. */
function requireCurrency(currency: Currency, { plan }: AskedPlan): void {
  if (currency === plan.currency) return
  throw mixedCurrencies(
    `The tenant is billed in ${currency} and the prices are in ${plan.currency}; nothing is converted.`,
  )
}

/** The facts of the deployments that had the plan. */
function ofPlan(
  facts: QuoteFacts,
  { plan: { code } }: AskedPlan,
): { facts: QuoteFacts; deployment_ids: ReadonlySet<string> } {
  const deployment_ids = new Set(
    facts.subscriptions.flatMap(({ deployment_id, segments }) =>
      deployment_id !== null && segments.some(({ plan }) => plan.code === code) ? [deployment_id] : [],
    ),
  )
  const has = ({ deployment_id }: { deployment_id: string | null }): boolean =>
    deployment_id !== null && deployment_ids.has(deployment_id)
  return {
    facts: { ...facts, subscriptions: facts.subscriptions.filter(has), llm: facts.llm.filter(has) },
    deployment_ids,
  }
}
