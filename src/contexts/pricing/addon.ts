import { decimal, plain } from '../../kernel/decimal.ts'
import { fromMinor } from '../../kernel/money.ts'
import type { AddonTerms } from './facts.ts'
import { postedAmount } from './line.ts'
import { newAddons, type Part, type PartDraft } from './part.ts'
import { prorate } from './proration.ts'

/** What an add-on costs in each segment, by code; once it was paid without proration, it is paid for the period. */
export function addonDrafts(parts: readonly Part[]): PartDraft[] {
  const paid: Part[] = []
  return parts
    .filter(({ is_charged }) => is_charged)
    .flatMap((part) => {
      const due = newAddons(part, paid)
      if (part.proration.rule === 'none') paid.push(part)
      return due.toSorted(byCode).map((addon) => addonDraft(addon, part))
    })
}

function addonDraft(addon: AddonTerms, { at, segment, proration }: Part): PartDraft {
  const { currency } = segment.plan
  const price = fromMinor(addon.price_cents, currency)
  return {
    at,
    kind: 'addon',
    meter: null,
    description: `Addon: ${addon.code}`,
    quantity: '1',
    unit_price: plain(price),
    ...postedAmount(prorate(price, proration), currency),
    service_period: segment.active,
    details: {
      addon_code: addon.code,
      addon_name: addon.name,
      addon_quantity: plain(decimal(addon.quantity)),
      unit: addon.unit,
      grants_meter: addon.grants_meter,
      ...proration.details,
    },
  }
}

/** By code unit, so that the order does not depend on the machine's locale; add-ons of one code by id. */
function byCode(a: AddonTerms, b: AddonTerms): number {
  return compareText(a.code, b.code) || compareText(a.id ?? '', b.id ?? '')
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
