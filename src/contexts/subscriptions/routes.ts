import { Type } from 'typebox'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import type { Ids } from '../../platform/ids.ts'
import {
  Body,
  CentsOut,
  Data,
  DateOut,
  DateText,
  Id,
  IdParams,
  InstantOut,
  Nullable,
  OptionalBody,
  UnsignedDecimalText,
} from '../../platform/wire.ts'
import { attachAddon, cancel, changePlan, detachAddon } from './commands.ts'
import { readSubscription } from './queries.ts'
import { subscribe } from './subscribe.ts'

const TRIAL_MAX_DAYS = 366
const ADDONS_MAX = 100

const Code = Type.String({ minLength: 1, maxLength: 63 })
const PlanVersionNumber = Type.Integer({ minimum: 1 })
const WantedAddon = { code: Code, quantity: Type.Optional(UnsignedDecimalText) }
const Order = Body({
  plan_code: Code,
  plan_version: Type.Optional(PlanVersionNumber),
  addons: Type.Optional(Type.Array(Body(WantedAddon), { maxItems: ADDONS_MAX })),
  start_date: Type.Optional(DateText),
  trial_days: Type.Optional(Type.Integer({ minimum: 0, maximum: TRIAL_MAX_DAYS })),
})
const PlanChange = Body({
  plan_code: Code,
  plan_version: Type.Optional(PlanVersionNumber),
  effective_date: Type.Optional(DateText),
})
const AddonOrder = Body({ ...WantedAddon, start_date: Type.Optional(DateText) })
const Cancellation = OptionalBody({
  end_date: Type.Optional(Type.String({ ...DateText, description: 'The first day that is not billed' })),
})
const SubscriptionOut = Type.Object({
  id: Type.String(),
  tenant_id: Type.String(),
  deployment_id: Type.String(),
  starts_on: DateOut,
  ends_on: Nullable(DateOut),
  created_at: InstantOut,
  phases: Type.Array(
    Type.Object({
      mode: Type.String(),
      plan_code: Type.String(),
      plan_version: Type.Integer(),
      starts_on: DateOut,
      ends_on: Nullable(DateOut),
    }),
  ),
  addons: Type.Array(
    Type.Object({
      id: Type.String(),
      code: Type.String(),
      name: Type.String(),
      price_cents: CentsOut,
      currency: Type.String(),
      quantity: Type.String(),
      unit: Nullable(Type.String()),
      grants_meter: Nullable(Type.String()),
      starts_on: DateOut,
      ends_on: Nullable(DateOut),
    }),
  ),
})
const tags = ['subscriptions']
const operators = { access: ['platform_admin'] } as const
const created = { 201: Data(SubscriptionOut) }
const changed = { 200: Data(SubscriptionOut) }

export const subscriptionsRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.post(
      '/deployments/:id/subscribe',
      {
        config: operators,
        schema: { tags, summary: 'Subscribe a deployment to a plan', params: IdParams, body: Order, response: created },
      },
      async (request, reply) => {
        const { start_date, addons = [], ...plan } = request.body
        const order = { deployment_id: request.params.id, ...plan, addons, start_date: dateOf(start_date) }
        const data = await edge.db.transaction(async (tx) =>
          readSubscription(tx, await subscribe(tx, order, madeAt(edge))),
        )
        void reply.code(201)
        return { data }
      },
    )

    app.post(
      '/subscriptions/:id/plan-change',
      {
        config: operators,
        schema: {
          tags,
          summary: 'Change the plan from a day on',
          params: IdParams,
          body: PlanChange,
          response: changed,
        },
      },
      async (request) => {
        const { id } = request.params
        const change = { id, ...request.body, effective_date: dateOf(request.body.effective_date) }
        const data = await edge.db.transaction(async (tx) => {
          await changePlan(tx, change, madeAt(edge))
          return readSubscription(tx, id)
        })
        return { data }
      },
    )

    app.post(
      '/subscriptions/:id/addons',
      {
        config: operators,
        schema: { tags, summary: 'Attach an add-on', params: IdParams, body: AddonOrder, response: created },
      },
      async (request, reply) => {
        const { id } = request.params
        const addon = { id, ...request.body, start_date: dateOf(request.body.start_date) }
        const data = await edge.db.transaction(async (tx) => {
          await attachAddon(tx, addon, madeAt(edge))
          return readSubscription(tx, id)
        })
        void reply.code(201)
        return { data }
      },
    )

    app.delete(
      '/subscriptions/:id/addons/:addon_id',
      {
        config: operators,
        schema: {
          tags,
          summary: 'End an add-on today',
          params: Type.Object({ id: Id, addon_id: Id }),
          response: changed,
        },
      },
      async (request) => {
        const data = await edge.db.transaction(async (tx) => {
          await detachAddon(tx, request.params, madeAt(edge))
          return readSubscription(tx, request.params.id)
        })
        return { data }
      },
    )

    app.post(
      '/subscriptions/:id/cancel',
      {
        config: operators,
        schema: { tags, summary: 'End a subscription', params: IdParams, body: Cancellation, response: changed },
      },
      async (request) => {
        const { id } = request.params
        const data = await edge.db.transaction(async (tx) => {
          await cancel(tx, { id, end_date: dateOf(request.body?.end_date) }, madeAt(edge))
          return readSubscription(tx, id)
        })
        return { data }
      },
    )
  }

function madeAt({ clock, ids }: Edge): { now: Temporal.Instant; ids: Ids } {
  return { now: clock.now(), ids }
}

/** The schema has seen that it is a date. */
function dateOf(text: string | undefined): Temporal.PlainDate | undefined {
  return text === undefined ? undefined : Temporal.PlainDate.from(text)
}
