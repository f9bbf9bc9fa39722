import { type Static, Type } from 'typebox'
import type { Tx } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  AnyObject,
  Body,
  CursorNumber,
  Data,
  Example,
  found,
  Id,
  IdParams,
  InstantOut,
  List,
  ListQuery,
  Nullable,
  OneOf,
  pageOf,
  PeriodText,
  Query,
  readCursor,
  readPeriodText,
} from '../../platform/wire.ts'
import { actOf } from '../events/index.ts'
import { DeploymentId, DeploymentRef } from '../deployments/index.ts'
import { CHARGE_CATEGORIES } from '../../providers/bill-line.ts'
import { assignLine } from './commands.ts'
import { type CostLineRow, findCostLine, listCostLines } from './line-queries.ts'
import { previewMatches } from './preview.ts'
import { config, DecimalOut, MatchChangesOut, MatchStatus, PreviewQuery, tags, Text } from './wire.ts'

export const lineRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.get(
      '/billing/cost-lines',
      {
        config,
        schema: {
          tags,
          summary: 'Lines of provider bills, matched to deployments',
          querystring: CostLinesQuery,
          response: { 200: List(CostLineOut) },
        },
      },
      async ({ query: { limit, cursor, period, ...filter } }) => {
        const inPeriod = period === undefined ? {} : { period: readPeriodText(period) }
        const page = { limit, after: readCursor(cursor, [Id, CursorNumber]) }
        const rows = await listCostLines(edge.db.read, { ...filter, ...inPeriod }, page)
        const { data, next_cursor } = pageOf(rows, limit, (row) => [row.provider_invoice_id, String(row.position)])
        return { data: data.map(costLineOut), next_cursor }
      },
    )

    app.post(
      '/billing/cost-lines/:id/assignment',
      {
        config,
        schema: {
          tags,
          summary: 'Assign a line by hand; null lets it be matched again',
          params: IdParams,
          querystring: PreviewQuery,
          body: Example(AssignmentBody, { deployment_id: '{boab~shop}', remember: true }),
          response: { 200: Data(Type.Union([CostLineOut, MatchChangesOut])) },
        },
      },
      async ({ params: { id }, query: { preview }, body: { deployment_id, remember }, caller }) => {
        const assignment = { line_id: id, deployment_id, remember: remember ?? false }
        const assign = (tx: Tx) => assignLine(tx, assignment, actOf(edge, { caller }))
        if (preview) return { data: await edge.db.transaction((tx) => previewMatches(tx, assign)) }
        await edge.db.transaction(assign)
        return { data: costLineOut(found(await findCostLine(edge.db.read, id), 'cost line')) }
      },
    )
  }

function costLineOut({ charge_start, charge_end, ...line }: CostLineRow): Static<typeof CostLineOut> {
  return { ...line, charge_period: { start: charge_start, end: charge_end } }
}

const CostLinesQuery = Query({
  ...ListQuery,
  period: Type.Optional(PeriodText),
  kind: Type.Optional(Text),
  match_status: Type.Optional(MatchStatus),
  deployment_id: Type.Optional(DeploymentRef),
  provider_invoice_id: Type.Optional(Type.String({ ...Id, examples: ['0b6e1a52-6a43-4f0e-9b0a-3f3f0a2f1c11'] })),
})

const AssignmentBody = Body({ deployment_id: Nullable(DeploymentId), remember: Type.Optional(Type.Boolean()) })

const ShareOut = Type.Object({
  tenant_id: Type.String(),
  deployment_id: Id,
  amount: DecimalOut,
  weight: Nullable(Type.String({ description: 'What it was shared by: a weight, an amount, a quantity, or seconds' })),
})

const CostLineOut = Type.Object({
  id: Id,
  provider: Type.String(),
  provider_invoice_id: Id,
  position: Type.Integer(),
  kind: Type.String(),
  product: Type.String(),
  group_description: Nullable(Type.String()),
  description: Type.String(),
  charge_category: OneOf(CHARGE_CATEGORIES),
  service_category: Type.String(),
  service_name: Type.String(),
  amount: DecimalOut,
  currency: Type.String(),
  charge_period: Type.Object({ start: InstantOut, end: InstantOut }),
  quantity: Nullable(DecimalOut),
  unit: Nullable(Type.String()),
  project: Nullable(Type.String()),
  region: Nullable(Type.String()),
  extra: Nullable(AnyObject),
  resource_id: Nullable(Id),
  resource_name: Nullable(Type.String()),
  tenant_id: Nullable(Type.String()),
  deployment_id: Nullable(Id),
  match_status: MatchStatus,
  match_method: Nullable(Type.String()),
  match_reason: Type.String(),
  shares: Type.Array(ShareOut),
})
