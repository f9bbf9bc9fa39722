import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { invalidInput } from '../../kernel/problem.ts'
import { scopeOf } from '../../platform/auth.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { callerOf, found, PeriodText, Query, readPeriodText, TextOf } from '../../platform/wire.ts'
import { exportCost, exportInvoices } from './export.ts'

export const focusRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.get(
      '/exports/focus',
      {
        config: { access: ['platform_admin', 'tenant'] },
        schema: {
          tags: ['exports'],
          summary: "A month as a FOCUS 1.2 file: the operator's cost, or what a tenant was invoiced",
          querystring: ExportQuery,
          response: {
            200: { content: { 'text/csv': { schema: Type.Unsafe<Readable>({ type: 'string' }) } } },
          },
        },
      },
      async (request, reply) => {
        const { period: text, tenant_id, preview } = request.query
        const period = readPeriodText(text)
        const scope = scopeOf(callerOf(request))
        // To a tenant there are no others.
        if (scope !== null && tenant_id !== undefined && tenant_id !== scope) found(undefined, `tenant: ${tenant_id}`)
        const tenant = scope ?? tenant_id
        if (tenant !== undefined && preview) throw invalidInput('The querystring is not valid.', [NO_PREVIEW])
        const { name, pieces } =
          tenant === undefined
            ? await exportCost(edge.db.read, { period, preview })
            : await exportInvoices(edge.db.read, { period, tenant_id: tenant })
        return reply
          .type('text/csv; charset=utf-8')
          .header('content-disposition', `attachment; filename="${name}"`)
          .send(Readable.from(pieces))
      },
    )
  }

const ExportQuery = Query({
  period: PeriodText,
  tenant_id: Type.Optional(TextOf({ description: 'What this tenant was invoiced' })),
  preview: Type.Boolean({ default: false, description: 'Also the bills of the month that are not issued yet' }),
})

const NO_PREVIEW = {
  path: 'preview',
  message: 'must not be set for a tenant: invoices are exported once they are issued',
}
