import { decimal, plain, smaller, ZERO } from '../../kernel/decimal.ts'
import { invariant, InvariantError, present } from '../../kernel/invariant.ts'
import { type Currency, formatMinor, fromMinor, toMinor } from '../../kernel/money.ts'
import type { QuoteLine } from './facts.ts'

/** Digits after the point that a formula shows: all those of a unit price. The facts beside it are whole. */
const SHOWN_PLACES = 12

/** The part of a line that its explanation needs: also what is left of a stored one. */
export type ExplainableLine = Pick<
  QuoteLine,
  'kind' | 'meter' | 'quantity' | 'unit_price' | 'amount_precise' | 'amount_cents' | 'details'
>

export type Explanation = { formula: string; facts: Record<string, unknown> }

/**
 * How a line's amount came about, for people: `(2,160 − 1,488 included) × 0.01 = 6.72`. The facts are JSON values.
 * Takes lines of `quote`, fresh or stored; details that lack what their kind needs throw InvariantError.
 */
export function explain(line: ExplainableLine): Explanation {
  const { meter, quantity, unit_price, amount_precise } = line
  return {
    formula: `${working(line)} = ${result(line)}`,
    facts: { ...line.details, meter, quantity, unit_price, amount_precise },
  }
}

function working(line: ExplainableLine): string {
  switch (line.kind) {
    case 'plan_base':
      return line.details['interval'] === 'year' ? yearWorking(line) : prorated(stated(line.unit_price), line)
    case 'addon':
      return prorated(stated(line.unit_price), line)
    case 'usage':
    case 'overage':
      return chargeWorking(line)
    case 'minimum':
      return minimumWorking(line)
    case 'llm_usage':
      return `sum of ${grouped(stated(line.quantity))} LLM charges`
    case 'adjustment':
      return adjustmentWorking(line)
    case 'credit':
      return creditWorking(line)
    case 'tax':
      return `${minor(line, 'taxable_cents')} × ${percent(detail(line, 'rate'))}`
  }
}

/** The exact amount, and the posted one where it differs. */
function result(line: ExplainableLine): string {
  const posted = formatMinor(line.amount_cents, currencyOf(line))
  const exact = money(line.amount_precise, line)
  return exact === posted ? posted : `${exact}, rounded to ${posted}`
}

function prorated(price: string, line: ExplainableLine, by: unknown = line.details): string {
  const amount = money(price, line)
  if (text(by, 'proration') === 'none') return amount
  return `${amount} × ${text(by, 'days_active')} of ${text(by, 'days_in_period')} days`
}

function yearWorking(line: ExplainableLine): string {
  return `${money(stated(line.unit_price), line)} for the year`
}

function minimumWorking(line: ExplainableLine): string {
  const charged = `${money(detail(line, 'charged_amount'), line)} charged`
  if (line.meter !== null) return `${prorated(detail(line, 'min_amount'), line)} minimum − ${charged}`
  const { commitments } = line.details
  invariant(Array.isArray(commitments), 'the details of what lacks to a commitment hold the commitments')
  const due = commitments.map((one: unknown) => prorated(text(one, 'commitment_amount'), line, one))
  return `${due.join(' + ')} commitment − ${charged}`
}

function chargeWorking(line: ExplainableLine): string {
  const limit = has(line, 'uncapped_amount') ? `, at most ${money(detail(line, 'max_amount'), line)}` : ''
  const trial = line.details['trial'] === true ? ', free in the trial' : ''
  return `${modelWorking(line)}${limit}${trial}`
}

function modelWorking(line: ExplainableLine): string {
  const included = decimal(detail(line, 'included_quantity')).gt(ZERO)
  const billable = included ? lessIncluded(line) : grouped(stated(line.quantity))
  const factor = included ? `(${billable})` : billable
  const model = detail(line, 'model')
  switch (model) {
    case 'per_unit':
      return `${factor} × ${grouped(stated(line.unit_price))}`
    case 'percentage':
      return has(line, 'event_count') ? eventsWorking(line) : `${factor} × ${percent(detail(line, 'rate'))}`
    case 'package':
      return `${billable}, in packages of ${grouped(detail(line, 'package_size'))}: ${packageWorking(line)}`
    case 'graduated':
    case 'volume':
      return included ? `${billable}: ${tiersWorking(line)}` : tiersWorking(line)
    default:
      throw new InvariantError(`a line of the unknown model ${model}`)
  }
}

function lessIncluded(line: ExplainableLine): string {
  const metered = decimal(detail(line, 'metered_quantity'))
  const included = decimal(detail(line, 'included_quantity'))
  const used = smaller(metered, included)
  const of = used.eq(included) ? '' : ` of ${grouped(plain(included))}`
  return `${grouped(plain(metered))} − ${grouped(plain(used))}${of} included`
}

/** `3 events at 2.99 %, each at least 1.75 and at most 12.00: (1.75 + 2.392 + 12.00) × 10,000 of 10,090`. */
function eventsWorking(line: ExplainableLine): string {
  const terms = eventTerms(line)
  const fees = feesWorking(line)
  if (decimal(detail(line, 'included_quantity')).eq(ZERO)) return fees === null ? terms : `${terms}: ${fees}`
  const billable = stated(line.quantity)
  const metered = detail(line, 'metered_quantity')
  const whole = fees?.includes(' ') ? `(${fees})` : money(detail(line, 'events_amount'), line)
  return `${terms}: ${whole} × ${grouped(billable)} of ${grouped(metered)}`
}

function eventTerms(line: ExplainableLine): string {
  const count = detail(line, 'event_count')
  const fixed = has(line, 'fixed_per_event') ? ` + ${money(detail(line, 'fixed_per_event'), line)}` : ''
  const limits = [
    ...(has(line, 'min_per_event') ? [`at least ${money(detail(line, 'min_per_event'), line)}`] : []),
    ...(has(line, 'max_per_event') ? [`at most ${money(detail(line, 'max_per_event'), line)}`] : []),
  ]
  const each = limits.length === 0 ? '' : `, each ${limits.join(' and ')}`
  return `${grouped(count)} ${count === '1' ? 'event' : 'events'} at ${percent(detail(line, 'rate'))}${fixed}${each}`
}

/** The fee of each event, or null where the line does not list them. */
function feesWorking(line: ExplainableLine): string | null {
  const { events } = line.details
  if (!Array.isArray(events) || events.length === 0) return null
  const fees = events.map((event: unknown) => {
    const fee = money(text(event, 'fee'), line)
    const count = text(event, 'count')
    return count === '1' ? fee : `${grouped(count)} × ${fee}`
  })
  return fees.join(' + ')
}

function packageWorking(line: ExplainableLine): string {
  return `${grouped(detail(line, 'packages'))} × ${money(detail(line, 'package_price'), line)}`
}

function tiersWorking(line: ExplainableLine): string {
  const tiers = line.details['tiers']
  invariant(Array.isArray(tiers), 'the details of a tiered line hold its tiers')
  return tiers.length === 0 ? '0' : tiers.map((tier: unknown) => tierWorking(tier, line)).join(' + ')
}

function tierWorking(tier: unknown, line: ExplainableLine): string {
  const units = `${grouped(text(tier, 'quantity'))} × ${grouped(text(tier, 'unit_price'))}`
  const flat_price = text(tier, 'flat_price')
  return flat_price === '0' ? units : `${units} + ${money(flat_price, line)} flat`
}

function adjustmentWorking(line: ExplainableLine): string {
  if (!has(line, 'rated_cents')) return 'stated amount'
  const credited = has(line, 'credited_cents') ? ` + ${minor(line, 'credited_cents')} credited already` : ''
  return `${minor(line, 'rated_cents')} rated now${credited} − ${minor(line, 'billed_cents')} billed already`
}

/** What a yearly plan gives back, a line's share of a discount, or an amount stated as it is. */
function creditWorking(line: ExplainableLine): string {
  if (has(line, 'days_credited')) {
    return yearCreditWorking(line)
  }
  if (has(line, 'discount_name')) return discountWorking(line)
  return adjustmentWorking(line)
}

/** `−328.50 × 10 of 365 days paused`, or with days before `9.00 given back − 328.50 × (10 + 20) of 365 days paused`. */
function yearCreditWorking(line: ExplainableLine): string {
  const price = money(detail(line, 'net_price'), line)
  const days = grouped(detail(line, 'days_credited'))
  const of = `of ${detail(line, 'days_in_year')} days ${detail(line, 'reason') === 'paused' ? 'paused' : 'left of the year'}`
  const most = has(line, 'left_by_credit_notes')
    ? `; at most the ${money(detail(line, 'left_by_credit_notes'), line)} that credit notes have left`
    : ''
  if (!has(line, 'given_back')) return `−${price} × ${days} ${of}${most}`
  const given_back = money(detail(line, 'given_back'), line)
  return `${given_back} given back − ${price} × (${detail(line, 'days_given_back')} + ${days}) ${of}${most}`
}

function discountWorking(line: ExplainableLine): string {
  const whole = money(detail(line, 'discounted_amount'), line)
  const total = money(detail(line, 'total_discount'), line)
  const terms = has(line, 'discount_rate')
    ? `${percent(detail(line, 'discount_rate'))} of ${whole}: ${total}`
    : `${money(detail(line, 'discount_amount'), line)} off, at most ${whole}: ${total}`
  return `${terms}; −${total} × ${money(detail(line, 'line_amount'), line)} of ${whole}, by largest remainder`
}

/** `"0.029"` → `2.9 %`. */
function percent(rate: string): string {
  return `${grouped(plain(decimal(rate).times(decimal('100'))))} %`
}

/** With the digits of the currency where that is exact, else with its own. */
function money(amount: string, line: ExplainableLine): string {
  const currency = currencyOf(line)
  const cents = toMinor(decimal(amount), currency)
  return fromMinor(cents, currency).eq(decimal(amount)) ? formatMinor(cents, currency) : grouped(amount)
}

function minor(line: ExplainableLine, key: string): string {
  const cents = line.details[key]
  invariant(typeof cents === 'number', `the details of the line hold the integer ${key}`)
  return formatMinor(BigInt(cents), currencyOf(line))
}

/** `"2160.5"` → `2,160.5`. */
function grouped(number: string): string {
  const [whole = '', fraction = ''] = number.split('.')
  const digits = fraction.length > SHOWN_PLACES ? `${fraction.slice(0, SHOWN_PLACES)}…` : fraction
  return `${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${digits === '' ? '' : `.${digits}`}`
}

function currencyOf(line: ExplainableLine): Currency {
  return detail(line, 'currency')
}

function has(line: ExplainableLine, key: string): boolean {
  return line.details[key] !== undefined
}

function detail(line: ExplainableLine, key: string): string {
  return text(line.details, key)
}

function text(record: unknown, key: string): string {
  const value = isRecord(record) ? record[key] : undefined
  invariant(typeof value === 'string', `the details of a line hold the text ${key}`)
  return value
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function stated(value: string | null): string {
  return present(value, 'a line of this kind states its quantity and price')
}
