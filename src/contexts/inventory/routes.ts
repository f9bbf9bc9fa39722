import { Type } from 'typebox'
import type { Tx } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  AnyObject,
  Body,
  CursorText,
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
} from '../../platform/wire.ts'
import { DeploymentId, DeploymentRef } from '../deployments/index.ts'
import { assignResource, lockInventory } from './commands.ts'
import { findResource, listListings, listResources, loadSpans } from './queries.ts'
import { RESOURCE_KINDS } from './resource.ts'

export type InventoryHooks = {
  /** Runs in the transaction that changed what these resources were, or whose. */
  readonly onInventoryChanged: (tx: Tx, changed: { resource_ids: readonly string[] }) => Promise<void>
}

export type InventoryRouteHooks = InventoryHooks & {
  /** Does the change, says what it did to whose cost the lines of bills are, and takes it back. */
  readonly previewMatches: (tx: Tx, change: (tx: Tx) => Promise<unknown>) => Promise<unknown>
}

export const inventoryRoutes =
  (edge: Edge, hooks: InventoryRouteHooks) =>
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

    app.get(
      '/resources/listings',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['inventory'],
          summary: 'How the last listing of each kind went; what the token may not list stays as it was',
          querystring: Query(ListQuery),
          response: { 200: List(ListingOut) },
        },
      },
      async ({ query: { limit, cursor } }) => {
        const rows = await listListings(edge.db.read, { limit, after: readCursor(cursor, [CursorText, CursorText]) })
        return pageOf(rows, limit, (row) => [row.provider, row.kind])
      },
    )

    app.get(
      '/resources/:id',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['inventory'],
          summary: 'A resource, and what it was from when to when',
          params: IdParams,
          response: { 200: Data(ResourceWithSpansOut) },
        },
      },
      async ({ params: { id } }) => {
        const resource = found(await findResource(edge.db.read, id), 'resource')
        return { data: { ...resource, spans: await loadSpans(edge.db.read, id) } }
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
          querystring: AssignmentQuery,
          body: Example(AssignmentBody, { deployment_id: '{boab~shop}', from: '2026-04-11T00:00:00Z' }),
          response: { 200: Data(Type.Union([ResourceOut, AnyObject])) },
        },
      },
      async ({ params: { id }, query: { preview }, body: { deployment_id, from } }) => {
        const assignment = {
          resource_id: id,
          deployment_id,
          from: from === undefined ? null : Temporal.Instant.from(from),
        }
        const assign = async (tx: Tx): Promise<void> => {
          await assignResource(tx, assignment, { now: edge.clock.now(), ids: edge.ids })
          await hooks.onInventoryChanged(tx, { resource_ids: [id] })
        }
        if (preview) {
          return edge.db.transaction(async (tx) => {
            await lockInventory(tx)
            return { data: await hooks.previewMatches(tx, assign) }
          })
        }
        await edge.db.transaction(assign)
        return { data: found(await findResource(edge.db.read, id), 'resource') }
      },
    )
  }

const ListResourcesQuery = Query({
  ...ListQuery,
  kind: Type.Optional(OneOf(RESOURCE_KINDS)),
  project: Type.Optional(TextOf({ description: 'The name of the project' })),
  name: Type.Optional(TextOf({ minLength: 1, description: 'A part of the name, in any case' })),
  deployment_id: Type.Optional(DeploymentRef),
  assigned: Type.Optional(Type.Boolean()),
  alive: Type.Optional(Type.Boolean()),
})

const AssignmentQuery = Query({
  preview: Type.Optional(
    Type.Boolean({ description: 'Store nothing, and answer whose cost the lines of bills would become' }),
  ),
})

const AssignmentBody = Body({
  deployment_id: Nullable(DeploymentId),
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
  parent: Nullable(
    Type.Object(
      { kind: Type.String(), external_id: Type.String() },
      {
        description: 'What it was taken of, or what it is a part of',
      },
    ),
  ),
  price_monthly: Nullable(Type.String({ description: 'A decimal in US dollars, where the provider tells a price' })),
  born_at: InstantOut,
  gone_at: Nullable(InstantOut),
  last_seen_at: InstantOut,
  tenant_id: Nullable(Type.String()),
  deployment_id: Nullable(Id),
  assigned_by: Nullable(OneOf(['hand', 'tag'])),
})

const ResourceWithSpansOut = Type.Object({
  ...ResourceOut.properties,
  spans: Type.Array(
    Type.Object({
      id: Id,
      starts_at: InstantOut,
      ends_at: Nullable(InstantOut),
      name: Type.String(),
      size: Type.String(),
      size_gb: Type.String(),
      project: Nullable(Type.String()),
      tags: Type.Array(Type.String()),
      price_monthly: Nullable(Type.String()),
      tenant_id: Nullable(Type.String()),
      deployment_id: Nullable(Id),
    }),
  ),
})

const ListingOut = Type.Object({
  provider: Type.String(),
  kind: OneOf(RESOURCE_KINDS),
  listed_at: Nullable(
    Type.Unsafe<Temporal.Instant>({ ...InstantOut, description: 'When the last recorded listing began' }),
  ),
  tried_at: InstantOut,
  last_error: Nullable(Type.String({ description: 'Why the last try recorded nothing' })),
  scope: Nullable(Type.String({ description: 'What the token needs' })),
  unread: Type.Array(Type.Object({ external_id: Nullable(Type.String()), reason: Type.String() }), {
    description: 'Objects that the last recorded listing could not read, the first 100: they stay as they were',
  }),
})
