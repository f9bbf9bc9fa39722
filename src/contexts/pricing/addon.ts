import { decimal, plain } from '../../kernel/decimal.ts'
import { fromMinor } from '../../kernel/money.ts'
import type { AddonTerms } from './facts.ts'
import { postedAmount } from './line.ts'
import type { HeldAddon, Part, PartDraft } from './part.ts'
import { prorate, type Proration, prorationOf } from './proration.ts'

/**
 * One line for each attached add-on that has a charged day, where the first of them is: its price by all its charged
 * days, or whole as soon as one of them is under a plan that is not prorated. Rounded once, it is never more than the
 * price, whatever cuts the month.
 */
export function addonDrafts(parts: readonly Part[]): PartDraft[] {
  const held = parts.filter(({ is_charged }) => is_charged).flatMap((part) => part.addons.map((on) => ({ part, on })))
  if (held.length === 0) return []
  return [...Map.groupBy(held, ({ on }) => on.addon).values()]
    .flatMap(addonDraft)
    .toSorted(byCode)
    .map(({ draft }) => draft)
}

type HeldIn = { part: Part; on: HeldAddon }

function addonDraft(days_of_addon: readonly HeldIn[]): { addon: AddonTerms; draft: PartDraft }[] {
  const [first, last] = [days_of_addon[0], days_of_addon.at(-1)]
  if (first === undefined || last === undefined) return []
  const { addon } = first.on
  const { currency } = first.part.segment.plan
  const proration = prorationIn(days_of_addon)
  const price = fromMinor(addon.price_cents, currency)
  const draft: PartDraft = {
    at: first.part.at,
    kind: 'addon',
    meter: null,
    description: `Addon: ${addon.code}`,
    quantity: '1',
    unit_price: plain(price),
    ...postedAmount(prorate(price, proration), currency),
    service_period: { start: first.on.active.start, end: last.on.active.end },
    details: {
      addon_code: addon.code,
      addon_name: addon.name,
      addon_quantity: plain(decimal(addon.quantity)),
      unit: addon.unit,
      grants_meter: addon.grants_meter,
      ...proration.details,
    },
  }
  return [{ addon, draft }]
}

/** By all its charged days; whole as soon as one of them is under a plan that is not prorated. */
function prorationIn(held: readonly HeldIn[]): Proration {
  const rule = held.some(({ part }) => part.proration.rule === 'none') ? 'none' : 'daily'
  const active = held.reduce((total, { on }) => total + on.days, 0)
  const in_period = Number(held[0]?.part.proration.details.days_in_period)
  return prorationOf(rule, { active, in_period })
}

/** By code unit, so that the order does not depend on the machine's locale; add-ons of one code by id. */
function byCode({ addon: a }: { addon: AddonTerms }, { addon: b }: { addon: AddonTerms }): number {
  return compareText(a.code, b.code) || compareText(a.id ?? '', b.id ?? '')
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
