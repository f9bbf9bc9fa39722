import { Type } from 'typebox'
import { monthLabel, monthOf, previousMonth } from '../../kernel/period.ts'
import type { Edge } from '../../platform/edge.ts'
import type { Job } from '../../platform/jobs.ts'
import { firstAdjusted } from './adjustments.ts'
import { LATEST_ZONE } from './invoice.ts'
import { readParked, readUninvoiced } from './queries.ts'
import { rollup, type RollupResult } from './rollup.ts'
import type { InvoicingDeps } from './routes.ts'

export const invoicingJobs = (edge: Edge, { seller }: InvoicingDeps): Job[] => [
  {
    name: 'invoicing.rollup-month-end',
    schedule: '0 3 1 * *',
    payload: Type.Object({}),
    handle: async () => {
      const period = previousMonth(edge.clock.now(), 'UTC')
      const result = await rollup({ ...edge, seller }, { period })
      return { outcome: 'done', detail: `${monthLabel(period)}: ${summary(result)}` }
    },
  },
  {
    // The first of a month may be missed, facts may come late for a month that has no invoice, and tenants be parked.
    name: 'invoicing.rollup-missing',
    schedule: '15 12 * * *',
    payload: Type.Object({}),
    handle: async () => {
      const { start: last } = previousMonth(edge.clock.now().subtract(LATEST_ZONE), 'UTC')
      const uninvoiced = await readUninvoiced(edge.db.read, { first: firstAdjusted(last), last })
      const parked = await readParked(edge.db.read)
      const details: string[] = []
      for (const { period_start, tenant_ids } of [...uninvoiced, ...parked]) {
        const period = monthOf(period_start)
        // Force, because one that is parked and has a draft all the same is there for the draft to be made anew.
        const result = await rollup({ ...edge, seller }, { period, tenant_ids, force: true })
        if (hasNews(result)) details.push(`${monthLabel(period)}: ${summary(result)}`)
      }
      if (details.length === 0) return { outcome: 'skipped', detail: 'nothing is missing' }
      return { outcome: 'done', detail: details.join('; ') }
    },
  },
]

/** Most tenants without an invoice have nothing to be invoiced. */
function hasNews({ created, rebuilt, parked }: RollupResult): boolean {
  return created + rebuilt + parked.length > 0
}

function summary({ created, rebuilt, skipped, parked }: RollupResult): string {
  return `${created} created, ${rebuilt} rebuilt, ${skipped} there already, ${parked.length} parked`
}
