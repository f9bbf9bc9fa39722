import { sql } from 'kysely'
import { type Static, Type } from 'typebox'
import { decimal, plain, ZERO } from '../../kernel/decimal.ts'
import { present } from '../../kernel/invariant.ts'
import {
  dateIn,
  earlierInstant,
  instantsOf,
  isBefore,
  isTimeZone,
  monthLabel,
  monthOf,
  monthsOf,
  type Period,
  previousMonth,
} from '../../kernel/period.ts'
import { type Reader, toJson } from '../../platform/db.ts'
import { Id, Nullable, OneOf } from '../../platform/wire.ts'
import { readHeldCounts } from '../llm-usage/index.ts'
import { isDerivedMeter, readUsage, type UsageWindow } from '../metering/index.ts'
import { type QuoteFacts, usageKey } from '../pricing/index.ts'
import type { Tenant } from '../tenants/index.ts'
import { LATE_USAGE_LOOKBACK_MONTHS } from './adjustments.ts'
import type { Attempt } from './attempt.ts'
import { readBillableFacts } from './facts.ts'
import { type Invoice, LATEST_ZONE } from './invoice.ts'
import { readDeploymentIds, readTenants } from './queries.ts'

const KINDS = ['held_llm', 'unpriced_usage', 'no_subscription', 'too_late'] as const

/** What was used and is on no invoice. Whoever rolls up, issues or closes a month is told of it. */
export const UnbilledOut = Type.Object({
  kind: OneOf(KINDS),
  tenant_id: Type.String(),
  period: Type.String({ description: 'The month, in the tenant’s zone' }),
  deployment_id: Id,
  meter: Nullable(Type.String()),
  quantity: Nullable(Type.String({ description: 'Of LLM usage that came too late: what was charged for it' })),
  count: Nullable(Type.Integer({ description: 'How many events' })),
  detail: Type.String(),
})
export type Unbilled = Static<typeof UnbilledOut>

type Scope = {
  /** A calendar month, on the calendar of each tenant's zone. */
  period: Period
  tenants: readonly Tenant[]
  as_of: Temporal.Instant
  /** The facts of these tenants, where they are read already. */
  facts?: ReadonlyMap<string, Attempt<QuoteFacts>>
}

/**
 * LLM events that are held, usage that no charge of the plan prices, and usage outside of any subscription. Hours that are
 * measured here and not priced are no usage that anybody sent. Tenants whose facts cannot be put together are left out:
 * they are parked with the reason.
 */
export async function readUnbilled(reader: Reader, scope: Scope): Promise<Unbilled[]> {
  const { period, as_of } = scope
  const tenants = scope.tenants.filter(({ timezone }) => isTimeZone(timezone))
  const facts = scope.facts ?? (await readBillableFacts(reader, { period, tenants, as_of }))
  const deployments = await readDeploymentIds(reader, { tenant_ids: tenants.map(({ id }) => id) })
  const sound = tenants.flatMap((tenant) => {
    const own = present(facts.get(tenant.id), 'the facts of every tenant are read')
    return own.ok ? [{ tenant, facts: own.value, deployment_ids: deployments.get(tenant.id) ?? [] }] : []
  })
  const gaps = sound.flatMap((one) => gapsOf(one, scope))
  const usage = await readUsage(reader, gaps)
  const held = await readHeldCounts(
    reader,
    sound.flatMap(({ tenant, deployment_ids }) =>
      deployment_ids.map((id) => windowOf(id, { tenant, days: period, as_of })),
    ),
  )
  const entry = entryOf(monthLabel(period))
  return [
    ...held.map(({ tenant_id, deployment_id, count }) =>
      entry('held_llm', { tenant_id, deployment_id, count, detail: 'held until the gateway sends their charge' }),
    ),
    ...sound.flatMap(({ tenant, facts: own }) =>
      own.subscriptions.flatMap((subscription) =>
        unpriced(subscription).map(([meter, quantity]) =>
          entry('unpriced_usage', {
            tenant_id: tenant.id,
            deployment_id: present(subscription.deployment_id, 'a subscription is of a deployment'),
            meter,
            quantity,
            detail: 'no charge of its plan prices it',
          }),
        ),
      ),
    ),
    ...sums(gaps.map((gap) => ({ ...gap, usage: usage.get(gap.key)?.usage ?? {} }))).map((row) =>
      entry('no_subscription', { ...row, detail: 'used while the deployment had no subscription' }),
    ),
  ]
}

/** What of the last month that is over everywhere, or of `period`, is on no invoice, with all that came too late. */
export async function listUnbilled(
  reader: Reader,
  { now, period, tenant_id }: { now: Temporal.Instant; period?: Period | undefined; tenant_id?: string | undefined },
): Promise<Unbilled[]> {
  const tenants = await readTenants(reader, tenant_id === undefined ? undefined : [tenant_id])
  const month = period ?? previousMonth(now.subtract(LATEST_ZONE), 'UTC')
  const unbilled = await readUnbilled(reader, { period: month, tenants, as_of: now })
  const too_late = await readTooLate(reader, tenant_id)
  return [...unbilled, ...too_late.filter((entry) => period === undefined || entry.period === monthLabel(period))]
}

/** What of an invoice's month is on no invoice. */
export async function readUnbilledOf(
  reader: Reader,
  { tenant_id, period_start }: Pick<Invoice, 'tenant_id' | 'period_start'>,
  now: Temporal.Instant,
): Promise<Unbilled[]> {
  return listUnbilled(reader, { now, period: monthOf(period_start), tenant_id })
}

/** How many there are of each kind: `2 held_llm, 1 too_late`; null where there is nothing. */
export function unbilledNote(unbilled: readonly Unbilled[]): string | null {
  if (unbilled.length === 0) return null
  return [...countUnbilled(unbilled)].flatMap(([kind, count]) => (count > 0 ? [`${count} ${kind}`] : [])).join(', ')
}

export function countUnbilled(unbilled: readonly Unbilled[]): Map<string, number> {
  return new Map(KINDS.map((kind) => [kind, unbilled.filter((one) => one.kind === kind).length]))
}

/**
 * Usage of months that no invoice adjusts any more, as it came more than a year after them, and that no live invoice of
 * the months since was made with. To bill it, its month is made void and rolled up again, or it is billed by hand
 * and acknowledged.
 */
export async function readTooLate(reader: Reader, tenant_id?: string): Promise<Unbilled[]> {
  const spans = await readLateSpans(reader, tenant_id)
  const windows = spans.flatMap(({ tenant_id: id, timezone, first, last }) => {
    const zone = isTimeZone(timezone) ? timezone : 'UTC'
    const months = monthsOf({ start: monthOf(dateIn(first, zone)).start, end: monthOf(dateIn(last, zone)).end })
    return months.map((month) => {
      const last_adjusting = month.start.add({ months: LATE_USAGE_LOOKBACK_MONTHS })
      return {
        tenant_id: id,
        period_start: month.start,
        last_adjusting,
        ...instantsOf(month, zone),
        too_late_from: instantsOf(monthOf(last_adjusting), zone).end,
      }
    })
  })
  if (windows.length === 0) return []
  const { rows } = await sql<TooLateRow>`
    select w.tenant_id, w.period_start, e.deployment_id, e.meter, sum(e.quantity)::text as quantity, count(*)::int as count
    from jsonb_to_recordset(${toJson(windows)}::jsonb) as w(tenant_id text, period_start date, last_adjusting date,
      "start" timestamptz, "end" timestamptz, too_late_from timestamptz)
    join ${LATE_EVENTS} e on e.tenant_id = w.tenant_id and e.occurred_at >= w."start" and e.occurred_at < w."end"
      and e.received_at >= w.too_late_from
    where not exists (
      select from invoicing.invoice i
      where i.tenant_id = w.tenant_id and i.status <> 'void'
        and i.period_start between w.period_start and w.last_adjusting
        and e.received_at <= i.created_at and coalesce(pg_visible_in_snapshot(e.changed_in, i.facts_seen), true)
    ) and not exists (
      select from invoicing.acknowledged_usage a
      where a.tenant_id = w.tenant_id and a.period_start = w.period_start and a.deployment_id = e.deployment_id
        and e.received_at <= a.acknowledged_at and pg_visible_in_snapshot(e.changed_in, a.facts_seen)
    )
    group by w.tenant_id, w.period_start, e.deployment_id, e.meter
    order by w.tenant_id, w.period_start, e.deployment_id, e.meter`.execute(reader)
  return rows.map(({ period_start, quantity, ...row }) =>
    entryOf(monthLabel(monthOf(period_start)))('too_late', {
      ...row,
      quantity: plain(decimal(quantity)),
      detail: `came more than ${LATE_USAGE_LOOKBACK_MONTHS} months after its month`,
    }),
  )
}

type TooLateRow = {
  tenant_id: string
  period_start: Temporal.PlainDate
  deployment_id: string
  meter: string | null
  quantity: string
  count: number
}

/** By the indexes that hold nothing else. */
const LATE_EVENTS = sql`(
  select tenant_id, deployment_id, meter, quantity, occurred_at, received_at, changed_in
  from metering.usage_event
  where (occurred_at at time zone 'UTC') + interval '11 months' < (received_at at time zone 'UTC')
  union all
  select tenant_id, deployment_id, null, coalesce(charge, 0), occurred_at, received_at, changed_in
  from llm_usage.event
  where (occurred_at at time zone 'UTC') + interval '11 months' < (received_at at time zone 'UTC') and not byok
)`

async function readLateSpans(reader: Reader, tenant_id: string | undefined) {
  const { rows } = await sql<{ tenant_id: string; timezone: string; first: Temporal.Instant; last: Temporal.Instant }>`
    select t.id as tenant_id, t.timezone, min(e.occurred_at) as first, max(e.occurred_at) as last
    from ${LATE_EVENTS} e join tenants.tenant t on t.id = e.tenant_id
    where ${tenant_id === undefined ? sql`true` : sql`t.id = ${tenant_id}`}
    group by t.id, t.timezone order by t.id`.execute(reader)
  return rows
}

type Found = Pick<Unbilled, 'tenant_id' | 'deployment_id' | 'detail'> & Partial<Unbilled>

function entryOf(period: string): (kind: Unbilled['kind'], found: Found) => Unbilled {
  return (kind, { tenant_id, deployment_id, meter = null, quantity = null, count = null, detail }) => ({
    kind,
    tenant_id,
    period,
    deployment_id,
    meter,
    quantity,
    count,
    detail,
  })
}

/** Usage that was sent and stands under its meter, of which the plan has no charge without a filter. */
function unpriced({ segments }: QuoteFacts['subscriptions'][number]): [meter: string, quantity: string][] {
  const totals = new Map<string, string>()
  for (const { usage, plan } of segments) {
    const priced = new Set(plan.charges.map(usageKey))
    for (const [key, quantity] of Object.entries(usage)) {
      if (priced.has(key) || isDerivedMeter(key) || decimal(quantity).eq(ZERO)) continue
      totals.set(key, plain(decimal(totals.get(key) ?? '0').plus(decimal(quantity))))
    }
  }
  return [...totals]
}

type Gap = UsageWindow

/** The days on which a deployment has no subscription, but for the day that one ends on: its usage is billed with it. */
function gapsOf(
  { tenant, facts, deployment_ids }: { tenant: Tenant; facts: QuoteFacts; deployment_ids: readonly string[] },
  { period, as_of }: Scope,
): Gap[] {
  return deployment_ids.flatMap((deployment_id) => {
    const held = facts.subscriptions
      .filter((subscription) => subscription.deployment_id === deployment_id)
      .flatMap(({ segments }) => segments.map(({ active }) => active))
      .toSorted((a, b) => (isBefore(a.start, b.start) ? -1 : 1))
    const gaps: Gap[] = []
    let open = period.start
    for (const { start, end } of [...held, { start: period.end, end: period.end }]) {
      if (isBefore(open, start)) {
        gaps.push(windowOf(deployment_id, { tenant, days: { start: open, end: start }, as_of }))
      }
      const next = isBefore(end, period.end) ? end.add({ days: 1 }) : end
      if (isBefore(open, next)) open = next
    }
    return gaps
  })
}

function windowOf(
  deployment_id: string,
  { tenant, days, as_of }: { tenant: Tenant; days: Period; as_of: Temporal.Instant },
): Gap {
  const { start, end } = instantsOf(days, tenant.timezone)
  const window = { start: earlierInstant(start, as_of), end: earlierInstant(end, as_of) }
  return { key: `${deployment_id}/${days.start}`, tenant_id: tenant.id, deployment_id, ...window }
}

/** The usage of the gaps by deployment and meter. */
function sums(gaps: readonly (Gap & { usage: Readonly<Record<string, string>> })[]) {
  const totals = new Map<string, { tenant_id: string; deployment_id: string; meter: string; quantity: string }>()
  for (const { tenant_id, deployment_id, usage } of gaps) {
    for (const [meter, quantity] of Object.entries(usage)) {
      if (isDerivedMeter(meter) || decimal(quantity).eq(ZERO)) continue
      const key = `${deployment_id}/${meter}`
      const before = decimal(totals.get(key)?.quantity ?? '0')
      totals.set(key, { tenant_id, deployment_id, meter, quantity: plain(before.plus(decimal(quantity))) })
    }
  }
  return [...totals.values()]
}
