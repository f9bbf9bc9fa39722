import { Type } from 'typebox'
import { scopeOf } from '../../platform/auth.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { callerOf, Data, Example, List, ListQuery, NoBody, Query, Reason, TextOf } from '../../platform/wire.ts'
import { actOf } from '../events/index.ts'
import {
  createAddon,
  createPlan,
  createPlanVersion,
  publishPlanVersion,
  registerMeter,
  renameMeter,
  renamePlan,
  replacePlanVersion,
  retirePlanVersion,
  updateAddon,
} from './commands.ts'
import type { NamedVersion } from './lock.ts'
import { listAddons, listMeters, listPlans, readPlan } from './queries.ts'
import { quoteGiven } from './quotes.ts'
import { deleteAddon, deleteMeter, deletePlan, deletePlanVersion } from './remove.ts'
import { ADDONS, PLANS, QUOTES, STUDIO, STUDIO_DRAFT } from './examples.ts'
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
  RenameBody,
} from './schemas.ts'

const VERSION_MAX_DIGITS = 9

const CodeParams = Type.Object({ code: TextOf() })
const VersionParams = Type.Object({
  code: TextOf(),
  version: Type.String({ pattern: `^[0-9]{1,${VERSION_MAX_DIGITS}}$`, expected: 'the number of a version, such as 1' }),
})
const readers = { access: ['platform_admin', 'tenant'] } as const
const operators = { access: ['platform_admin'] } as const
const tags = ['catalog']
const ReasonQuery = Query({ reason: Type.Optional(Reason) })
const deleted = { 204: Type.Null() }

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
        body: Example(MeterBody, { code: 'requests', name: 'Requests', unit: 'request', aggregation: 'sum' }),
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

  app.patch(
    '/meters/:code',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Give a meter another name',
        params: CodeParams,
        body: Example(RenameBody, { name: 'Web requests', reason: 'says what is counted' }),
        response: { 200: Data(MeterOut) },
      },
    },
    async (request) => {
      const { name, reason = null } = request.body
      const given = { code: request.params.code, name, reason }
      return { data: await edge.db.transaction((tx) => renameMeter(tx, given, actOf(edge, request))) }
    },
  )

  app.delete(
    '/meters/:code',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Delete a meter that nothing uses',
        params: CodeParams,
        querystring: ReasonQuery,
        response: deleted,
      },
    },
    async (request, reply) => {
      const given = { ...request.params, reason: request.query.reason ?? null }
      await edge.db.transaction((tx) => deleteMeter(tx, given, actOf(edge, request)))
      return reply.code(204).send(null)
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
      schema: { tags, summary: 'Add a plan', body: Example(PlanBody, ...PLANS), response: { 201: Data(PlanOut) } },
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

  app.patch(
    '/plans/:code',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Give a plan another name',
        params: CodeParams,
        body: Example(RenameBody, { name: 'Studio for shops', reason: 'as it is called on the website' }),
        response: { 200: Data(PlanOut) },
      },
    },
    async (request) => {
      const { name, reason = null } = request.body
      const given = { code: request.params.code, name, reason }
      const data = await edge.db.transaction(async (tx) => {
        await renamePlan(tx, given, actOf(edge, request))
        return readPlan(tx, given.code, { drafts: true })
      })
      return { data }
    },
  )

  app.delete(
    '/plans/:code',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Delete a plan that nobody ever had, with its versions',
        params: CodeParams,
        querystring: ReasonQuery,
        response: deleted,
      },
    },
    async (request, reply) => {
      const given = { ...request.params, reason: request.query.reason ?? null }
      await edge.db.transaction((tx) => deletePlan(tx, given, actOf(edge, request)))
      return reply.code(204).send(null)
    },
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
        body: Example(PlanVersionBody, STUDIO_DRAFT),
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
        body: Example(PlanVersionBody, STUDIO),
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

  app.delete(
    '/plans/:code/versions/:version',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Delete a draft version',
        params: VersionParams,
        querystring: ReasonQuery,
        response: deleted,
      },
    },
    async (request, reply) => {
      const given = { ...namedIn(request.params), reason: request.query.reason ?? null }
      await edge.db.transaction((tx) => deletePlanVersion(tx, given, actOf(edge, request)))
      return reply.code(204).send(null)
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
      schema: {
        tags,
        summary: 'Add an add-on',
        body: Example(AddonBody, ...ADDONS),
        response: { 201: Data(AddonOut) },
      },
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
        body: Example(AddonChangesBody, { name: 'Storage, 50 GB more', reason: 'as it is called on the website' }),
        response: { 200: Data(AddonOut) },
      },
    },
    async (request) => {
      const { reason = null, ...changes } = request.body
      const update = { code: request.params.code, changes, reason }
      return { data: await edge.db.transaction((tx) => updateAddon(tx, update, actOf(edge, request))) }
    },
  )

  app.delete(
    '/addons/:code',
    {
      config: operators,
      schema: {
        tags,
        summary: 'Delete an add-on that was never attached',
        params: CodeParams,
        querystring: ReasonQuery,
        response: deleted,
      },
    },
    async (request, reply) => {
      const given = { ...request.params, reason: request.query.reason ?? null }
      await edge.db.transaction((tx) => deleteAddon(tx, given, actOf(edge, request)))
      return reply.code(204).send(null)
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
        body: Example(QuoteBody, ...QUOTES),
        response: { 200: Data(GivenQuoteOut) },
      },
    },
    async (request) => ({
      data: await quoteGiven(edge.db.read, request.body, { scope: scopeOf(callerOf(request)) }),
    }),
  )
}
