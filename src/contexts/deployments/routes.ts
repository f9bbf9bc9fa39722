import { type Static, type TSchema, Type } from 'typebox'
import { scopeOf } from '../../platform/auth.ts'
import type { Tx } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  AnyObject,
  Body,
  callerOf,
  Data,
  Example,
  Id,
  InstantOut,
  List,
  ListQuery,
  Nullable,
  OneOf,
  Query,
  TextOf,
} from '../../platform/wire.ts'
import { IdOrName } from '../../platform/naming.ts'
import { actOf } from '../events/index.ts'
import { TENANT_ID_PATTERN, TenantId } from '../tenants/index.ts'
import { createDeployment, type DeploymentTransition, transition, updateDeployment } from './commands.ts'
import { DEPLOYMENT_STATES } from './deployment.ts'
import { findDeploymentByName, listDeployments } from './queries.ts'

/** Follows a transition in its transaction. */
export type TransitionHook = (tx: Tx, change: DeploymentTransition) => Promise<unknown>

/** Answers what a transition comes to, which `move` makes, and takes it back. */
export type TransitionPreview = {
  readonly answer: TSchema
  readonly of: (move: (tx: Tx) => Promise<DeploymentTransition>) => Promise<unknown>
}

export type DeploymentsDeps = { readonly onTransition: TransitionHook; readonly preview: TransitionPreview }

const State = OneOf(DEPLOYMENT_STATES)
const LlmMode = OneOf(['off', 'metered', 'byok'])
const DisplayName = TextOf({ minLength: 1, maxLength: 200 })
const Label = Nullable(TextOf({ minLength: 1, maxLength: 200 }))
const Reason = Nullable(TextOf({ maxLength: 500 }))

const SLUG_PATTERN = '^[a-z0-9][a-z0-9_-]{0,62}$'

/** A deployment wherever a path or a filter names one. */
export const DeploymentRef = IdOrName({
  what: 'deployment',
  pattern: `${TENANT_ID_PATTERN.slice(1, -1)}~${SLUG_PATTERN.slice(1, -1)}`,
  expected: 'the id of a deployment, or tenant~slug such as elbe~shop; GET /deployments?tenant_id=…&slug=… finds it',
  description: 'Its id, or tenant~slug',
  example: 'boab~shop',
  find: findDeploymentByName,
})
/** In a body, which takes the id alone. */
export const DeploymentId = Type.String({
  ...Id,
  expected: 'the id of a deployment; GET /deployments?tenant_id=…&slug=… finds it',
})
export const DeploymentParams = Type.Object({ id: DeploymentRef })

const DeploymentBody = Body({
  tenant_id: TenantId,
  slug: Type.String({
    pattern: SLUG_PATTERN,
    description: 'Unique within the tenant, but for archived deployments that were never billed',
    expected: 'small letters and digits, with _ and - between them, at most 63, such as my-app',
  }),
  display_name: Type.Optional(DisplayName),
  region: Type.Optional(Label),
  template_code: Type.Optional(Label),
  template_version: Type.Optional(Label),
  llm_mode: Type.Optional(LlmMode),
  state: Type.Optional(OneOf(['trial', 'active'])),
})
const SHOP: Static<typeof DeploymentBody> = {
  tenant_id: 'boab',
  slug: 'shop',
  display_name: 'Roastery shop',
  region: 'fra1',
  template_code: 'webshop',
  template_version: '5.1',
  llm_mode: 'metered',
}
const DeploymentChanges = Body(
  {
    display_name: Type.Optional(DisplayName),
    region: Type.Optional(Label),
    template_code: Type.Optional(Label),
    template_version: Type.Optional(Label),
    llm_mode: Type.Optional(LlmMode),
    billing_action_suspended: Type.Optional(Type.Boolean()),
  },
  { meant: { state: 'POST /deployments/:id/transition' } },
)
const TransitionBody = Body({ to: State, reason: Type.Optional(Reason) })
const DeploymentQuery = Query({
  ...ListQuery,
  tenant_id: Type.Optional(TextOf()),
  slug: Type.Optional(TextOf()),
  state: Type.Optional(State),
})
const TransitionQuery = Query({
  preview: Type.Optional(
    Type.Boolean({ description: 'Stores nothing and answers what the transition makes of the invoices' }),
  ),
})
/** A deployment in an answer. */
export const deploymentFields = {
  id: Type.String(),
  tenant_id: Type.String(),
  slug: Type.String(),
  slug_released_at: Type.Unsafe<Temporal.Instant | null>({
    ...Nullable(InstantOut),
    description: 'Since when the slug means another deployment',
  }),
  display_name: Type.String(),
  region: Nullable(Type.String()),
  template_code: Nullable(Type.String()),
  template_version: Nullable(Type.String()),
  llm_mode: LlmMode,
  state: State,
  billing_action_suspended: Type.Boolean(),
  created_at: InstantOut,
  updated_at: InstantOut,
}
const DeploymentOut = Type.Object(deploymentFields)
export const DeploymentEventOut = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  from_state: Nullable(Type.String()),
  to_state: Nullable(Type.String()),
  actor: Type.String(),
  reason: Nullable(Type.String()),
  details: AnyObject,
  occurred_at: InstantOut,
})
const tags = ['deployments']

export const deploymentsRoutes =
  (edge: Edge, { onTransition, preview }: DeploymentsDeps) =>
  (app: App): void => {
    app.get(
      '/deployments',
      {
        config: { access: ['platform_admin', 'tenant'] },
        schema: {
          tags,
          summary: 'Deployments by tenant and slug',
          querystring: DeploymentQuery,
          response: { 200: List(DeploymentOut) },
        },
      },
      async (request) => listDeployments(edge.db.read, { ...request.query, scope: scopeOf(callerOf(request)) }),
    )

    app.post(
      '/deployments',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags,
          summary: 'Add a deployment',
          body: Example(DeploymentBody, SHOP),
          response: { 201: Data(DeploymentOut) },
        },
      },
      async (request, reply) => {
        const act = actOf(edge, request)
        const deployment = await edge.db.transaction((tx) => createDeployment(tx, request.body, act))
        void reply.code(201)
        return { data: deployment }
      },
    )

    app.patch(
      '/deployments/:id',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags,
          summary: 'Change a deployment',
          params: DeploymentParams,
          body: Example(DeploymentChanges, { display_name: 'Coffee shop', region: 'syd1', template_version: '5.2' }),
          response: { 200: Data(DeploymentOut) },
        },
      },
      async (request) => {
        const update = { id: request.params.id, changes: request.body }
        const act = actOf(edge, request)
        return { data: await edge.db.transaction((tx) => updateDeployment(tx, update, act)) }
      },
    )

    app.post(
      '/deployments/:id/transition',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags,
          summary: 'Move a deployment on in its lifecycle',
          params: DeploymentParams,
          querystring: TransitionQuery,
          body: Example(TransitionBody, { to: 'paused', reason: 'closed over the winter' }),
          response: { 200: Data(Type.Unsafe<unknown>(Type.Union([preview.answer, DeploymentOut]))) },
        },
      },
      async (request) => {
        const { to, reason = null } = request.body
        const act = actOf(edge, request)
        const move = (tx: Tx) => transition(tx, { id: request.params.id, to, reason }, act)
        if (request.query.preview) return { data: await preview.of(async (tx) => (await move(tx)).change) }
        const data = await edge.db.transaction(async (tx) => {
          const { deployment, change } = await move(tx)
          await onTransition(tx, change)
          return deployment
        })
        return { data }
      },
    )
  }
