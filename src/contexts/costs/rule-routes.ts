import { type Static, Type } from 'typebox'
import type { Tx } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  Body,
  Data,
  Example,
  found,
  Id,
  IdParams,
  InstantOut,
  InstantText,
  List,
  ListQuery,
  Nullable,
  OneOf,
  pageOf,
  Query,
  readCursor,
  TextOf,
  UnsignedDecimalText,
} from '../../platform/wire.ts'
import { actOf } from '../events/index.ts'
import { BASES, type Basis } from './allocation.ts'
import { addAllocationRule, deleteAllocationRule } from './commands.ts'
import { previewMatches } from './preview.ts'
import { findAllocationRule, listAllocationRules } from './rule-queries.ts'
import { PROVIDER } from './sync.ts'
import { DeploymentId } from '../deployments/index.ts'
import { config, MatchChangesOut, PreviewQuery, Provider, tags, Text } from './wire.ts'

export const ruleRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.get(
      '/billing/allocation-rules',
      {
        config,
        schema: {
          tags,
          summary: 'How shared cost is split, oldest rule first',
          querystring: Query(ListQuery),
          response: { 200: List(AllocationRuleOut) },
        },
      },
      async ({ query: { limit, cursor } }) => {
        const rows = await listAllocationRules(edge.db.read, { limit, after: readCursor(cursor, [InstantText, Id]) })
        return pageOf(rows, limit, (row) => [row.created_at.toString(), row.id])
      },
    )

    app.post(
      '/billing/allocation-rules',
      {
        config,
        schema: {
          tags,
          summary: 'Share the cost of lines that belong to no single deployment',
          querystring: PreviewQuery,
          body: Example(AllocationRuleBody, BY_DIRECT_COST, FIXED),
          response: { 200: Data(MatchChangesOut), 201: Data(AllocationRuleOut) },
        },
      },
      async ({ query: { preview }, body, caller }, reply) => {
        const rule = { ...ANY_RULE, ...body }
        const act = actOf(edge, { caller })
        const add = (tx: Tx) => addAllocationRule(tx, rule, act)
        if (preview) return { data: await edge.db.transaction((tx) => previewMatches(tx, add)) }
        const id = await edge.db.transaction(add)
        void reply.code(201)
        return { data: found(await findAllocationRule(edge.db.read, id), 'allocation rule') }
      },
    )

    app.delete(
      '/billing/allocation-rules/:id',
      {
        config,
        schema: {
          tags,
          summary: 'Remove a rule; its lines are matched again',
          params: IdParams,
          querystring: PreviewQuery,
          response: { 200: Data(MatchChangesOut), 204: Type.Null() },
        },
      },
      async ({ params: { id }, query: { preview } }, reply) => {
        const remove = (tx: Tx) => deleteAllocationRule(tx, id)
        if (preview) return { data: await edge.db.transaction((tx) => previewMatches(tx, remove)) }
        await edge.db.transaction(remove)
        return reply.code(204).send(null)
      },
    )
  }

const RULE_MAX_SHARES = 500

const ANY_RULE = {
  provider: PROVIDER,
  product: null,
  project: null,
  description: null,
  basis: 'fixed' as const,
  meter: null,
  shares: [],
  deployment_ids: [],
}

const AllocationRuleBody = Type.Unsafe<{
  provider?: string
  product?: string
  project?: string
  description?: string
  basis?: Basis
  meter?: string
  shares?: { deployment_id: string; weight: string }[]
  deployment_ids?: string[]
}>({
  ...Body({
    provider: Type.Optional(Provider),
    product: Type.Optional(Text),
    project: Type.Optional(Text),
    description: Type.Optional(
      TextOf({ minLength: 1, maxLength: 500, description: 'Exact, but for `*`, which stands for any text' }),
    ),
    basis: Type.Optional(OneOf(BASES, { default: 'fixed' })),
    meter: Type.Optional(Text),
    shares: Type.Optional(
      Type.Array(Body({ deployment_id: DeploymentId, weight: UnsignedDecimalText }), {
        minItems: 1,
        maxItems: RULE_MAX_SHARES,
      }),
    ),
    deployment_ids: Type.Optional(
      Type.Array(DeploymentId, {
        maxItems: RULE_MAX_SHARES,
        description: 'Between whom a rule that is not fixed shares; without it, between all that its basis finds',
      }),
    ),
  }),
  anyOf: [{ required: ['product'] }, { required: ['project'] }, { required: ['description'] }],
})

const BY_DIRECT_COST: Static<typeof AllocationRuleBody> = { product: 'Load Balancers', basis: 'direct_cost' }
const FIXED: Static<typeof AllocationRuleBody> = {
  product: 'Spaces Subscription',
  shares: [{ deployment_id: '{boab~shop}', weight: '1' }],
}

const AllocationRuleOut = Type.Object({
  id: Id,
  provider: Type.String(),
  product: Nullable(Type.String()),
  project: Nullable(Type.String()),
  description: Nullable(Type.String()),
  basis: OneOf(BASES),
  meter: Nullable(Type.String()),
  shares: Type.Array(Type.Object({ tenant_id: Type.String(), deployment_id: Id, weight: Type.String() })),
  deployment_ids: Type.Array(Id),
  created_at: InstantOut,
  created_by: Type.String(),
})
