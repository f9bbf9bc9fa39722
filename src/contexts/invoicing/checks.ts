import type { Check } from '../../platform/doctor.ts'
import { listUnbilled, unbilledNote } from './unbilled.ts'

export const invoicingChecks: readonly Check[] = [
  {
    name: 'unbilled',
    // What was used and billed to nobody is for somebody to look at, and no failure.
    read: async (reader, now) => {
      const note = unbilledNote(await listUnbilled(reader, { now }))
      if (note === null) return { ok: true, detail: 'all usage of the last month is billed' }
      return { ok: true, detail: `${note}: GET /invoices/unbilled lists them` }
    },
  },
]
