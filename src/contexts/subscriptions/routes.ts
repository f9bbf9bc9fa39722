import { type Static, Type } from 'typebox'
import { scopeOf } from '../../platform/auth.ts'
import { rehearse, type Tx, within } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  Body,
  callerOf,
  CentsOut,
  Data,
  DateOut,
  DateText,
  Example,
  Id,
  IdParams,
  InstantOut,
  Nullable,
  OneOf,
  OptionalBody,
  PeriodOut,
  PositiveDecimalText,
  Query,
  Reason,
  TextOf,
} from '../../platform/wire.ts'
import { ChargesOut, discountFields, overrideFields, QuoteOut } from '../catalog/index.ts'
import {
  deploymentFields,
  DeploymentEventOut,
  DeploymentParams,
  readDeployment,
  type TransitionPreview,
} from '../deployments/index.ts'
import { actOf } from '../events/index.ts'
import type { LineKind } from '../pricing/index.ts'
import { attachAddon, cancel, changePlan, detachAddon, type Made } from './commands.ts'
import { correctStart } from './correct-start.ts'
import { followDeployment } from './follow.ts'
import { comparePreviews, NO_DIFFERENCE, type PreviewInvoices, type Touched, touchedMonths } from './preview.ts'
import { readCurrentSubscription, readSubscription } from './queries.ts'
import { SUBSCRIPTION_STATUSES } from './status.ts'
import { subscribe } from './subscribe.ts'
import { endDiscount, giveDiscount, overridePrices, removeOverride } from './terms.ts'

const TRIAL_MAX_DAYS = 366
const ADDONS_MAX = 100
const DISCOUNT_MAX_MONTHS = 1_200

const Code = TextOf({ minLength: 1, maxLength: 63 })
const PlanVersionNumber = Type.Integer({ minimum: 1 })
const WantedAddon = { code: Code, quantity: Type.Optional(PositiveDecimalText) }
const When = Type.Optional(OneOf(['now', 'period_end']))
const FirstDayWithout = Type.Optional(Type.String({ ...DateText, description: 'The first day without it' }))
const Order = Body({
  plan_code: Code,
  plan_version: Type.Optional(PlanVersionNumber),
  addons: Type.Optional(Type.Array(Body(WantedAddon), { maxItems: ADDONS_MAX })),
  start_date: Type.Optional(DateText),
  trial_days: Type.Optional(Type.Integer({ minimum: 0, maximum: TRIAL_MAX_DAYS })),
})
const SHOP_ORDER: Static<typeof Order> = {
  plan_code: 'studio',
  plan_version: 1,
  addons: [{ code: 'storage_50gb' }],
  start_date: '2026-04-01',
}
const PlanChange = Body({
  plan_code: Code,
  plan_version: Type.Optional(PlanVersionNumber),
  effective_date: Type.Optional(DateText),
  when: When,
})
const AddonOrder = Body({ ...WantedAddon, start_date: Type.Optional(DateText) })
const Cancellation = OptionalBody({
  end_date: Type.Optional(Type.String({ ...DateText, description: 'The first day that is not billed' })),
  when: When,
})
const StartCorrectionBody = Body({ start_date: DateText, reason: Reason })
const Override = Body({
  ...overrideFields,
  start_date: Type.Optional(DateText),
  end_date: FirstDayWithout,
})
const Discount = Body({
  ...discountFields,
  start_date: Type.Optional(DateText),
  periods: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: DISCOUNT_MAX_MONTHS,
      description: 'Calendar months, that of the start included; left out: until it is ended',
    }),
  ),
})
const preview = Type.Optional(
  Type.Boolean({ description: 'Stores nothing and answers what the change makes of the invoices' }),
)
const Preview = Query({ preview })
const Removal = Query({ preview, end_date: FirstDayWithout })
const standingFields = {
  status: OneOf(SUBSCRIPTION_STATUSES),
  current_period_start: Nullable(DateOut),
  current_period_end: Type.Unsafe<Temporal.PlainDate | null>({
    ...Nullable(DateOut),
    description: 'Exclusive; the running calendar month in the time zone of the tenant',
  }),
  trial_ends_at: Nullable(InstantOut),
}
const AddonOut = Type.Object({
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
})
const SubscriptionOut = Type.Object({
  id: Type.String(),
  tenant_id: Type.String(),
  deployment_id: Type.String(),
  starts_on: DateOut,
  ends_on: Nullable(DateOut),
  ...standingFields,
  created_at: InstantOut,
  phases: Type.Array(
    Type.Object({
      mode: Type.String(),
      plan_code: Type.String(),
      plan_version: Type.Integer(),
      override_id: Nullable(Type.String()),
      starts_on: DateOut,
      ends_on: Nullable(DateOut),
    }),
  ),
  addons: Type.Array(AddonOut),
  overrides: Type.Array(
    Type.Object({
      id: Type.String(),
      base_price_cents: Nullable(CentsOut),
      commitment_cents: Nullable(CentsOut),
      charges: Nullable(ChargesOut),
      created_at: InstantOut,
    }),
  ),
  discounts: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      rate: Nullable(Type.String()),
      amount_cents: Nullable(CentsOut),
      line_kinds: Nullable(Type.Unsafe<readonly LineKind[]>(Type.Array(Type.String()))),
      starts_on: DateOut,
      ends_on: Nullable(DateOut),
    }),
  ),
})
const DeploymentWhole = Type.Object({
  ...deploymentFields,
  subscription: Nullable(
    Type.Object({
      id: Type.String(),
      starts_on: DateOut,
      ends_on: Nullable(DateOut),
      ...standingFields,
      plan_code: Type.String(),
      plan_version: Type.Integer(),
      mode: Type.String(),
      addons: Type.Array(AddonOut),
    }),
  ),
  events: Type.Array(DeploymentEventOut),
})
const Differences = Type.Array(
  Type.Object({
    kind: Type.Unsafe<LineKind>(Type.String()),
    meter: Nullable(Type.String()),
    description: Type.String(),
    amount_cents: CentsOut,
  }),
)
/** `charged` less `credited` is the difference of the totals. */
const comparisonFields = {
  period: PeriodOut,
  before: QuoteOut,
  after: QuoteOut,
  credited: Differences,
  charged: Differences,
  difference_cents: CentsOut,
}
const previewFields = {
  months: Type.Array(Type.Object({ ...comparisonFields, is_issued: Type.Boolean() }), {
    description: 'The months that come to something else',
  }),
  next_invoice: Type.Union([Type.Object(comparisonFields), Type.Null()], {
    description: 'The first invoice to come that differs, with what it adjusts of issued months',
  }),
  billed_by_hand: Type.Union([PeriodOut, Type.Null()], {
    description: 'Months that the change reaches too, but that no invoice adjusts any more',
  }),
  difference_cents: CentsOut,
}
const PreviewOut = Type.Object({ subscription: SubscriptionOut, ...previewFields })
const TransitionPreviewOut = Type.Object({
  subscription: Type.Union([SubscriptionOut, Type.Null()], { description: 'Null where the transition changes none' }),
  ...previewFields,
})
const tags = ['subscriptions']
const operators = { access: ['platform_admin'] } as const
const created = { 200: Data(PreviewOut), 201: Data(SubscriptionOut) }
const changed = { 200: Data(Type.Union([PreviewOut, SubscriptionOut])) }

export type SubscriptionsDeps = { readonly previewInvoices: PreviewInvoices }

export const subscriptionsRoutes =
  (edge: Edge, deps: SubscriptionsDeps) =>
  (app: App): void => {
    subscriptionRoutes(edge, { app, ...deps })
    addonRoutes(edge, { app, ...deps })
    overrideRoutes(edge, { app, ...deps })
    discountRoutes(edge, { app, ...deps })
  }

/** For the transitions of deployments, which are followed and taken back with what they mean. */
export const transitionPreview = (edge: Edge, { previewInvoices }: SubscriptionsDeps): TransitionPreview => ({
  answer: TransitionPreviewOut,
  of: (move) =>
    rehearse(edge.db, async (tx, takeBack) => {
      const made = await followDeployment(within(tx), await move(tx), edge)
      if (made === null) return { subscription: null, ...NO_DIFFERENCE }
      return compareInvoices(tx, made, { previewInvoices, takeBack, as_of: edge.clock.now() })
    }),
})

type Routes = SubscriptionsDeps & { app: App }

function subscriptionRoutes(edge: Edge, { app, ...deps }: Routes): void {
  app.get(
    '/deployments/:id',
    {
      config: { access: ['platform_admin', 'tenant'] },
      schema: {
        tags: ['deployments'],
        summary: 'A deployment with its subscription and events',
        params: DeploymentParams,
        response: { 200: Data(DeploymentWhole) },
      },
    },
    async (request) => {
      const scope = scopeOf(callerOf(request))
      const deployment = await readDeployment(edge.db.read, request.params.id, { scope })
      const subscription = await readCurrentSubscription(edge.db.read, deployment, edge.clock.now())
      return { data: { ...deployment, subscription } }
    },
  )

  app.post(
    '/deployments/:id/subscribe',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Subscribe a deployment to a plan',
        params: DeploymentParams,
        querystring: Preview,
        body: Example(Order, SHOP_ORDER),
        response: created,
      },
    },
    async (request, reply) => {
      const { start_date, addons = [], ...plan } = request.body
      const order = { deployment_id: request.params.id, ...plan, addons, start_date: dateOf(start_date) }
      const change = (tx: Tx) => subscribe(tx, order, madeAt(edge))
      if (request.query.preview) return { data: await previewed(edge, change, deps) }
      void reply.code(201)
      return { data: await applied(edge, change) }
    },
  )

  app.get(
    '/subscriptions/:id',
    {
      config: { access: ['platform_admin', 'tenant'] },
      schema: {
        tags,
        summary: 'A subscription with its phases, add-ons, overrides and discounts',
        params: IdParams,
        response: { 200: Data(SubscriptionOut) },
      },
    },
    async (request) => {
      const scope = scopeOf(callerOf(request))
      return { data: await readSubscription(edge.db.read, request.params.id, { scope, now: edge.clock.now() }) }
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
        querystring: Preview,
        body: Example(PlanChange, { plan_code: 'starter', plan_version: 1, effective_date: '2026-06-01' }),
        response: changed,
      },
    },
    async (request) => {
      const { effective_date, ...plan } = request.body
      const given = { id: request.params.id, ...plan, effective_date: dateOf(effective_date) }
      return answer(edge, (tx) => changePlan(tx, given, madeAt(edge)), { ...request.query, ...deps })
    },
  )

  app.post(
    '/subscriptions/:id/start-correction',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Correct the start date, as long as no issued invoice has billed the days that change',
        params: IdParams,
        querystring: Preview,
        body: Example(StartCorrectionBody, { start_date: '2026-04-11', reason: 'the shop opened on the 11th' }),
        response: changed,
      },
    },
    async (request) => {
      const { start_date, reason } = request.body
      const given = { id: request.params.id, start_date: Temporal.PlainDate.from(start_date), reason }
      const act = actOf(edge, request)
      return answer(edge, (tx) => correctStart(tx, given, act), { ...request.query, ...deps })
    },
  )

  app.post(
    '/subscriptions/:id/cancel',
    {
      config: operators,
      schema: {
        tags,
        summary: 'End a subscription',
        params: IdParams,
        querystring: Preview,
        body: Example(Cancellation, { end_date: '2026-07-01' }, { when: 'period_end' }),
        response: changed,
      },
    },
    async (request) => {
      const { end_date, when } = request.body ?? {}
      const given = { id: request.params.id, end_date: dateOf(end_date), when }
      return answer(edge, (tx) => cancel(tx, given, madeAt(edge)), { ...request.query, ...deps })
    },
  )
}

function addonRoutes(edge: Edge, { app, ...deps }: Routes): void {
  app.post(
    '/subscriptions/:id/addons',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Attach an add-on',
        params: IdParams,
        querystring: Preview,
        body: Example(AddonOrder, { code: 'daily_backup', start_date: '2026-04-20' }),
        response: created,
      },
    },
    async (request, reply) => {
      const { start_date, ...wanted } = request.body
      const given = { id: request.params.id, ...wanted, start_date: dateOf(start_date) }
      const change = (tx: Tx) => attachAddon(tx, given, madeAt(edge))
      if (request.query.preview) return { data: await previewed(edge, change, deps) }
      void reply.code(201)
      return { data: await applied(edge, change) }
    },
  )

  app.delete(
    '/subscriptions/:id/addons/:addon_id',
    {
      config: operators,
      schema: {
        tags,
        summary: 'End an add-on today, or on a day',
        params: Type.Object({ id: Id, addon_id: Id }),
        querystring: Removal,
        response: changed,
      },
    },
    async (request) => {
      const given = { ...request.params, end_date: dateOf(request.query.end_date) }
      return answer(edge, (tx) => detachAddon(tx, given, madeAt(edge)), { ...request.query, ...deps })
    },
  )
}

function overrideRoutes(edge: Edge, { app, ...deps }: Routes): void {
  app.post(
    '/subscriptions/:id/overrides',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Give a subscription prices of its own, until its plan changes',
        params: IdParams,
        querystring: Preview,
        body: Example(Override, { base_price_cents: 4500, start_date: '2026-05-01', end_date: '2026-11-01' }),
        response: created,
      },
    },
    async (request, reply) => {
      const { start_date, end_date, ...prices } = request.body
      const days = { start_date: dateOf(start_date), end_date: dateOf(end_date) }
      const change = (tx: Tx) => overridePrices(tx, { id: request.params.id, ...prices, ...days }, madeAt(edge))
      if (request.query.preview) return { data: await previewed(edge, change, deps) }
      void reply.code(201)
      return { data: await applied(edge, change) }
    },
  )

  app.delete(
    '/subscriptions/:id/overrides/:override_id',
    {
      config: operators,
      schema: {
        tags,
        summary: 'End an override today, or on a day',
        params: Type.Object({ id: Id, override_id: Id }),
        querystring: Removal,
        response: changed,
      },
    },
    async (request) => {
      const given = { ...request.params, end_date: dateOf(request.query.end_date) }
      return answer(edge, (tx) => removeOverride(tx, given, madeAt(edge)), { ...request.query, ...deps })
    },
  )
}

function discountRoutes(edge: Edge, { app, ...deps }: Routes): void {
  app.post(
    '/subscriptions/:id/discounts',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Discount a subscription for some months, or until it is ended',
        params: IdParams,
        querystring: Preview,
        body: Example(Discount, { name: 'Launch offer', rate: '0.10', start_date: '2026-04-11', periods: 3 }),
        response: created,
      },
    },
    async (request, reply) => {
      const { start_date, ...terms } = request.body
      const given = { id: request.params.id, ...terms, start_date: dateOf(start_date) }
      const change = (tx: Tx) => giveDiscount(tx, given, madeAt(edge))
      if (request.query.preview) return { data: await previewed(edge, change, deps) }
      void reply.code(201)
      return { data: await applied(edge, change) }
    },
  )

  app.delete(
    '/subscriptions/:id/discounts/:discount_id',
    {
      config: operators,
      schema: {
        tags,
        summary: 'End a discount today, or on a day; a month that has a day of it is discounted as a whole',
        params: Type.Object({ id: Id, discount_id: Id }),
        querystring: Removal,
        response: changed,
      },
    },
    async (request) => {
      const given = { ...request.params, end_date: dateOf(request.query.end_date) }
      return answer(edge, (tx) => endDiscount(tx, given, madeAt(edge)), { ...request.query, ...deps })
    },
  )
}

type Change = (tx: Tx) => Promise<Touched>

async function answer(
  edge: Edge,
  change: Change,
  { preview: only_shown, ...deps }: SubscriptionsDeps & { preview?: boolean },
) {
  return { data: only_shown ? await previewed(edge, change, deps) : await applied(edge, change) }
}

async function applied(edge: Edge, change: Change) {
  return edge.db.transaction(async (tx) => readSubscription(tx, (await change(tx)).id, { now: edge.clock.now() }))
}

async function previewed(edge: Edge, change: Change, { previewInvoices }: SubscriptionsDeps) {
  const as_of = edge.clock.now()
  return rehearse(edge.db, async (tx, takeBack) =>
    compareInvoices(tx, await change(tx), { previewInvoices, takeBack, as_of }),
  )
}

/** The change that was made is looked at and taken back; then what was before is looked at. */
async function compareInvoices(
  tx: Tx,
  made: Touched,
  { previewInvoices, takeBack, as_of }: SubscriptionsDeps & { takeBack: () => Promise<void>; as_of: Temporal.Instant },
) {
  const { tenant_id, deployment_id } = made
  const scope = { tenant_id, deployment_id, touched: touchedMonths(made, as_of), as_of }
  const subscription = await readSubscription(tx, made.id, { now: as_of })
  const after = await previewInvoices(tx, scope)
  await takeBack()
  const before = await previewInvoices(tx, scope)
  return { subscription, ...comparePreviews({ before, after }) }
}

function madeAt({ clock, ids }: Edge): Made {
  return { now: clock.now(), ids }
}

/** The schema has seen that it is a date. */
function dateOf(text: string | undefined): Temporal.PlainDate | undefined {
  return text === undefined ? undefined : Temporal.PlainDate.from(text)
}
