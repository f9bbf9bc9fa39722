import { Type } from 'typebox'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { AnyObject, InstantOut, InstantText, List, ListQuery, Nullable, Query, TextOf } from '../../platform/wire.ts'
import { listEvents } from './queries.ts'

const EventQuery = Query({
  ...ListQuery,
  type: Type.Optional(TextOf()),
  subject: Type.Optional(TextOf({ description: 'The id or code of what the events are about' })),
  tenant_id: Type.Optional(TextOf()),
  since: Type.Optional(InstantText),
})
const EventOut = Type.Object({
  id: Type.String(),
  type: Type.String(),
  occurred_at: InstantOut,
  tenant_id: Nullable(Type.String()),
  subject: Type.Object({ kind: Type.String(), id: Type.String() }),
  actor: Type.String(),
  reason: Nullable(Type.String()),
  data: AnyObject,
})

export const eventsRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.get(
      '/events',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags: ['events'],
          summary: 'What was done, by whom and why; the newest first',
          querystring: EventQuery,
          response: { 200: List(EventOut) },
        },
      },
      async ({ query: { since, ...query } }) =>
        listEvents(edge.db.read, { ...query, since: since === undefined ? undefined : Temporal.Instant.from(since) }),
    )
  }
