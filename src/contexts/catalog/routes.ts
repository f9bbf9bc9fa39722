import { Type } from 'typebox'
import { scopeOf } from '../../platform/auth.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { callerOf, Data, List, ListQuery, NoBody, Query } from '../../platform/wire.ts'
import { createAddon, createPlan, createPlanVersion, publishPlanVersion, registerMeter } from './commands.ts'
import { listAddons, listMeters, listPlans, readPlan } from './queries.ts'
import { quoteGiven } from './quotes.ts'
import {
  AddonBody,
  AddonOut,
  MeterBody,
  MeterOut,
  PlanBody,
  PlanListed,
  PlanOut,
  PlanVersionBody,
  PlanVersionOut,
  QuoteBody,
  QuoteOut,
} from './schemas.ts'

const VERSION_MAX_DIGITS = 9

const PlanParams = Type.Object({ code: Type.String() })
const VersionParams = Type.Object({
  code: Type.String(),
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
        params: PlanParams,
        response: { 200: Data(PlanOut) },
      },
    },
    async (request) => ({
      data: await readPlan(edge.db.read, request.params.code, { drafts: scopeOf(callerOf(request)) === null }),
    }),
  )

  app.post(
    '/plans/:code/versions',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Add a draft version to a plan',
        params: PlanParams,
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

  app.post(
    '/plans/:code/versions/:version/publish',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Publish a version; it never changes afterwards',
        params: VersionParams,
        body: NoBody,
        response: { 200: Data(PlanVersionOut) },
      },
    },
    async (request) => {
      const named = { plan_code: request.params.code, version: Number(request.params.version) }
      const now = edge.clock.now()
      return { data: await edge.db.transaction((tx) => publishPlanVersion(tx, named, { now })) }
    },
  )
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
        response: { 200: Data(QuoteOut) },
      },
    },
    async (request) => ({
      data: await quoteGiven(edge.db.read, request.body, { scope: scopeOf(callerOf(request)) }),
    }),
  )
}
