import { Type } from 'typebox'
import { scopeOf } from '../../platform/auth.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { callerOf, Data, List, ListQuery, NoBody, Query, TextOf } from '../../platform/wire.ts'
import {
  createAddon,
  createPlan,
  createPlanVersion,
  type NamedVersion,
  publishPlanVersion,
  registerMeter,
  replacePlanVersion,
  retirePlanVersion,
  updateAddon,
} from './commands.ts'
import { listAddons, listMeters, listPlans, readPlan } from './queries.ts'
import { quoteGiven } from './quotes.ts'
import {
  AddonBody,
  AddonChangesBody,
  AddonOut,
  MeterBody,
  MeterOut,
  PlanBody,
  PlanListed,
  PlanOut,
  PlanVersionBody,
  PlanVersionOut,
  QuoteBody,
  GivenQuoteOut,
} from './schemas.ts'

const VERSION_MAX_DIGITS = 9

const CodeParams = Type.Object({ code: TextOf() })
const VersionParams = Type.Object({
  code: TextOf(),
  version: Type.String({ pattern: `^[0-9]{1,${VERSION_MAX_DIGITS}}$` }),
})
const readers = { access: ['platform_admin', 'tenant'] } as const
const operators = { access: ['platform_admin'] } as const
const tags = ['catalog']

export const catalogRoutes =
  (edge: Edge) =>
  (app: App): void => {
    meterRoutes(edge, app)
    planRoutes(edge, app)
    versionRoutes(edge, app)
    addonRoutes(edge, app)
    quoteRoutes(edge, app)
  }

function meterRoutes(edge: Edge, app: App): void {
  app.get(
    '/meters',
    {
      config: readers,
      schema: { tags, summary: 'Meters', querystring: Query(ListQuery), response: { 200: List(MeterOut) } },
    },
    async (request) => listMeters(edge.db.read, request.query),
  )

  app.post(
    '/meters',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Register a meter; 200 when it is registered already',
        body: MeterBody,
        response: { 200: Data(MeterOut), 201: Data(MeterOut) },
      },
    },
    async (request, reply) => {
      const now = edge.clock.now()
      const { meter, created } = await edge.db.transaction((tx) => registerMeter(tx, request.body, { now }))
      void reply.code(created ? 201 : 200)
      return { data: meter }
    },
  )
}

function planRoutes(edge: Edge, app: App): void {
  app.get(
    '/plans',
    {
      config: readers,
      schema: {
        tags,
        summary: 'Plans; a tenant sees those with a published version',
        querystring: Query(ListQuery),
        response: { 200: List(PlanListed) },
      },
    },
    async (request) => listPlans(edge.db.read, { ...request.query, drafts: scopeOf(callerOf(request)) === null }),
  )

  app.post(
    '/plans',
    {
      config: operators,
      schema: { tags, summary: 'Add a plan', body: PlanBody, response: { 201: Data(PlanOut) } },
    },
    async (request, reply) => {
      const { version: given, ...plan } = request.body
      const made = { now: edge.clock.now(), id: edge.ids.uuid() }
      const data = await edge.db.transaction(async (tx) => {
        const created = await createPlan(tx, plan, made)
        const first = given && (await createPlanVersion(tx, { plan_code: plan.code, given }, made))
        return { ...created, versions: first ? [first] : [] }
      })
      void reply.code(201)
      return { data }
    },
  )

  app.get(
    '/plans/:code',
    {
      config: readers,
      schema: {
        tags,
        summary: 'A plan with its versions and their charges',
        params: CodeParams,
        response: { 200: Data(PlanOut) },
      },
    },
    async (request) => ({
      data: await readPlan(edge.db.read, request.params.code, { drafts: scopeOf(callerOf(request)) === null }),
    }),
  )
}

function versionRoutes(edge: Edge, app: App): void {
  app.post(
    '/plans/:code/versions',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Add a draft version to a plan',
        params: CodeParams,
        body: PlanVersionBody,
        response: { 201: Data(PlanVersionOut) },
      },
    },
    async (request, reply) => {
      const draft = { plan_code: request.params.code, given: request.body }
      const made = { now: edge.clock.now(), id: edge.ids.uuid() }
      const version = await edge.db.transaction((tx) => createPlanVersion(tx, draft, made))
      void reply.code(201)
      return { data: version }
    },
  )

  app.put(
    '/plans/:code/versions/:version',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Replace a draft version',
        params: VersionParams,
        body: PlanVersionBody,
        response: { 200: Data(PlanVersionOut) },
      },
    },
    async (request) => {
      const draft = { ...namedIn(request.params), given: request.body }
      const now = edge.clock.now()
      return { data: await edge.db.transaction((tx) => replacePlanVersion(tx, draft, { now })) }
    },
  )

  app.post(
    '/plans/:code/versions/:version/publish',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Publish a version; it never changes afterwards. A refusal names every mistake',
        params: VersionParams,
        body: NoBody,
        response: { 200: Data(PlanVersionOut) },
      },
    },
    async (request) => {
      const now = edge.clock.now()
      return { data: await edge.db.transaction((tx) => publishPlanVersion(tx, namedIn(request.params), { now })) }
    },
  )

  app.post(
    '/plans/:code/versions/:version/retire',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Sell a published version no more; who has it keeps it',
        params: VersionParams,
        body: NoBody,
        response: { 200: Data(PlanVersionOut) },
      },
    },
    async (request) => {
      const now = edge.clock.now()
      return { data: await edge.db.transaction((tx) => retirePlanVersion(tx, namedIn(request.params), { now })) }
    },
  )
}

function namedIn({ code, version }: { code: string; version: string }): NamedVersion {
  return { plan_code: code, version: Number(version) }
}

function addonRoutes(edge: Edge, app: App): void {
  app.get(
    '/addons',
    {
      config: readers,
      schema: { tags, summary: 'Add-ons', querystring: Query(ListQuery), response: { 200: List(AddonOut) } },
    },
    async (request) => listAddons(edge.db.read, request.query),
  )

  app.post(
    '/addons',
    {
      config: operators,
      schema: { tags, summary: 'Add an add-on', body: AddonBody, response: { 201: Data(AddonOut) } },
    },
    async (request, reply) => {
      const now = edge.clock.now()
      const addon = await edge.db.transaction((tx) => createAddon(tx, request.body, { now }))
      void reply.code(201)
      return { data: addon }
    },
  )

  app.patch(
    '/addons/:code',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Change an add-on; what is attached keeps its terms',
        params: CodeParams,
        body: AddonChangesBody,
        response: { 200: Data(AddonOut) },
      },
    },
    async (request) => {
      const update = { code: request.params.code, changes: request.body }
      return { data: await edge.db.transaction((tx) => updateAddon(tx, update)) }
    },
  )
}

function quoteRoutes(edge: Edge, app: App): void {
  app.post(
    '/quotes',
    {
      config: readers,
      schema: {
        tags,
        summary: 'What given facts would cost; nothing is stored',
        body: QuoteBody,
        response: { 200: Data(GivenQuoteOut) },
      },
    },
    async (request) => ({
      data: await quoteGiven(edge.db.read, request.body, { scope: scopeOf(callerOf(request)) }),
    }),
  )
}
