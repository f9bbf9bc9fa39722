import { Type } from 'typebox'
import { monthLabel, monthOf, previousMonth } from '../../kernel/period.ts'
import type { Edge } from '../../platform/edge.ts'
import type { Job } from '../../platform/jobs.ts'
import { readParked } from './queries.ts'
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
    name: 'invoicing.retry-parked',
    // At noon UTC the first of a month has begun in every zone.
    schedule: '15 12 * * *',
    payload: Type.Object({}),
    handle: async () => {
      const parked = await readParked(edge.db.read)
      if (parked.length === 0) return { outcome: 'skipped', detail: 'no tenant is parked' }
      const details: string[] = []
      for (const { period_start, tenant_ids } of parked) {
        const period = monthOf(period_start)
        const result = await rollup({ ...edge, seller }, { period, tenant_ids })
        details.push(`${monthLabel(period)}: ${summary(result)}`)
      }
      return { outcome: 'done', detail: details.join('; ') }
    },
  },
]

function summary({ created, skipped, parked }: RollupResult): string {
  return `${created} created, ${skipped} there already, ${parked.length} parked`
}
