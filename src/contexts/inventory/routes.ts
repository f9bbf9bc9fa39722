import { Type } from 'typebox'
import type { Tx } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  Body,
  CursorText,
  Data,
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
} from '../../platform/wire.ts'
import { assignResource } from './commands.ts'
import { findResource, listResources } from './queries.ts'
import { RESOURCE_KINDS } from './resource.ts'

export type InventoryHooks = {
  /** Runs in the transaction that changed what these resources were, or whose. */
  readonly onInventoryChanged: (tx: Tx, changed: { resource_ids: readonly string[] }) => Promise<void>
}

export const inventoryRoutes =
  (edge: Edge, hooks: InventoryHooks) =>
  (app: App): void => {
    app.get(
      '/resources',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['inventory'],
          summary: 'Rented resources, by name; destroyed ones stay',
          querystring: ListResourcesQuery,
          response: { 200: List(ResourceOut) },
        },
      },
      async ({ query: { limit, cursor, ...filter } }) => {
        const rows = await listResources(edge.db.read, filter, { limit, after: readCursor(cursor, [CursorText, Id]) })
        return pageOf(rows, limit, (row) => [row.name, row.id])
      },
    )

    app.post(
      '/resources/:id/assignment',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['inventory'],
          summary: 'Assign a resource to a deployment by hand; null lets the tags decide again',
          params: IdParams,
          body: AssignmentBody,
          response: { 200: Data(ResourceOut) },
        },
      },
      async ({ params: { id }, body: { deployment_id, from } }) => {
        const assignment = {
          resource_id: id,
          deployment_id,
          from: from === undefined ? null : Temporal.Instant.from(from),
        }
        await edge.db.transaction(async (tx) => {
          await assignResource(tx, assignment, { now: edge.clock.now(), ids: edge.ids })
          await hooks.onInventoryChanged(tx, { resource_ids: [id] })
        })
        return { data: found(await findResource(edge.db.read, id), 'resource') }
      },
    )
  }

const ListResourcesQuery = Query({
  ...ListQuery,
  kind: Type.Optional(OneOf(RESOURCE_KINDS)),
  deployment_id: Type.Optional(Id),
  assigned: Type.Optional(Type.Boolean()),
  alive: Type.Optional(Type.Boolean()),
})

const AssignmentBody = Body({
  deployment_id: Nullable(Id),
  from: Type.Optional(InstantText),
})

const ResourceOut = Type.Object({
  id: Id,
  provider: Type.String(),
  kind: Type.String(),
  external_id: Type.String(),
  name: Type.String(),
  size: Nullable(Type.String()),
  size_gb: Nullable(Type.String({ description: 'A decimal; 0 for what is not sold by its size' })),
  region: Nullable(Type.String()),
  project: Nullable(Type.String()),
  tags: Type.Array(Type.String()),
  born_at: InstantOut,
  gone_at: Nullable(InstantOut),
  last_seen_at: InstantOut,
  tenant_id: Nullable(Type.String()),
  deployment_id: Nullable(Id),
  assigned_by: Nullable(OneOf(['hand', 'tag'])),
})
