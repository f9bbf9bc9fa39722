import type { Check } from '../../platform/doctor.ts'
import { countUnclassified, listDifferingBills } from './bill-queries.ts'

export const costsChecks: readonly Check[] = [
  {
    name: 'bills',
    read: async (reader) => {
      const bills = await listDifferingBills(reader)
      if (bills.length === 0) return { ok: true, detail: 'as the providers send them' }
      const names = bills.map(({ provider, external_id }) => `${external_id} of ${provider}`)
      return {
        ok: false,
        detail: `the provider sends another version of ${names.join(', ')}: GET /billing/provider-invoices/:id/difference shows both, POST …/difference/settle with a reason ends the alarm`,
      }
    },
  },
  {
    name: 'products',
    read: async (reader) => {
      const { lines, products } = await countUnclassified(reader)
      if (lines === 0) return { ok: true, detail: 'every line of every bill is classified' }
      return {
        ok: true,
        detail: `Unclassified lines: ${lines}, of products: ${products}. List them with GET /billing/products?classified=false; an allocation rule can share their cost.`,
      }
    },
  },
]
