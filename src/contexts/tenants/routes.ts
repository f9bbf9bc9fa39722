import { type Static, Type } from 'typebox'
import { scopeOf } from '../../platform/auth.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import {
  Body,
  callerOf,
  CountryCode,
  CurrencyCode,
  Data,
  Example,
  FractionText,
  InstantOut,
  List,
  ListQuery,
  Nullable,
  OneOf,
  Query,
  Reason,
  TextOf,
  WarningOut,
} from '../../platform/wire.ts'
import { actOf } from '../events/index.ts'
import { createTenant, deleteTenant, updateTenant } from './commands.ts'
import { listTenants, readTenant } from './queries.ts'
import { assumedTaxOf, taxTermsOf, type Tenant, TENANT_ID_PATTERN, warningsOf } from './tenant.ts'

export const TenantId = Type.String({
  pattern: TENANT_ID_PATTERN,
  expected: 'letters and digits, with _ and - between them, at most 63, such as my-tenant',
  description: 'Given by the operator',
})

const Treatment = OneOf(['taxable', 'export', 'exempt'])
const TaxBody = Body({
  treatment: Treatment,
  name: Type.Optional(Nullable(TextOf({ minLength: 1, maxLength: 50 }))),
  rate: Type.Optional(Nullable(FractionText)),
})
const LegalName = TextOf({ minLength: 1, maxLength: 200 })
const contact = {
  email: Type.Optional(Nullable(Type.String({ format: 'email', maxLength: 254 }))),
  address: Type.Optional(Nullable(TextOf({ maxLength: 500 }))),
  tax_id: Type.Optional(Nullable(TextOf({ maxLength: 50 }))),
  timezone: Type.Optional(TextOf({ description: 'IANA name; UTC when left out' })),
  tax: Type.Optional(TaxBody),
}
const TenantBody = Body({
  id: TenantId,
  legal_name: LegalName,
  country: CountryCode,
  currency: CurrencyCode,
  ...contact,
})
const TenantChanges = Body({
  legal_name: Type.Optional(LegalName),
  country: Type.Optional(CountryCode),
  currency: Type.Optional(CurrencyCode),
  ...contact,
})
const BOAB: Static<typeof TenantBody> = {
  id: 'boab',
  legal_name: 'Boab Coffee Roasters Pty Ltd',
  email: 'office@boab.example',
  address: '12 Harbour Lane, Fremantle WA 6160',
  country: 'AU',
  tax_id: '43 111 222 333',
  currency: 'USD',
  timezone: 'Australia/Perth',
  tax: { treatment: 'taxable', name: 'GST', rate: '0.10' },
}
export const AssumedTaxOut = Type.Object({
  terms: Type.Array(Type.String(), { description: 'What nobody gave: treatment, name, rate' }),
  country: Nullable(Type.String({ description: 'What they were taken from' })),
  reason: Type.String(),
})
const TenantOut = Type.Object({
  id: Type.String(),
  legal_name: Type.String(),
  email: Nullable(Type.String()),
  address: Nullable(Type.String()),
  country: Type.String(),
  tax_id: Nullable(Type.String()),
  currency: Type.String(),
  timezone: Type.String(),
  tax: Type.Object({ treatment: Treatment, name: Nullable(Type.String()), rate: Nullable(Type.String()) }),
  tax_assumed: Nullable(AssumedTaxOut),
  warnings: Type.Array(WarningOut),
  created_at: InstantOut,
  updated_at: InstantOut,
})
const Params = Type.Object({ id: TenantId })
const tags = ['tenants']

export const tenantsRoutes =
  (edge: Edge) =>
  (app: App): void => {
    app.get(
      '/tenants',
      {
        config: { access: ['platform_admin', 'tenant'] },
        schema: {
          tags,
          summary: 'Tenants; a tenant sees itself',
          querystring: Query(ListQuery),
          response: { 200: List(TenantOut) },
        },
      },
      async (request) => {
        const page = await listTenants(edge.db.read, { scope: scopeOf(callerOf(request)), ...request.query })
        return { ...page, data: page.data.map(tenantOut) }
      },
    )

    app.post(
      '/tenants',
      {
        config: { access: ['platform_admin'] },
        schema: { tags, summary: 'Add a tenant', body: Example(TenantBody, BOAB), response: { 201: Data(TenantOut) } },
      },
      async (request, reply) => {
        const tenant = await edge.db.transaction((tx) => createTenant(tx, request.body, { now: edge.clock.now() }))
        void reply.code(201)
        return { data: tenantOut(tenant) }
      },
    )

    app.get(
      '/tenants/:id',
      {
        config: { access: ['platform_admin', 'tenant'] },
        schema: { tags, summary: 'One tenant', params: Params, response: { 200: Data(TenantOut) } },
      },
      async (request) => ({
        data: tenantOut(await readTenant(edge.db.read, request.params.id, { scope: scopeOf(callerOf(request)) })),
      }),
    )

    app.patch(
      '/tenants/:id',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags,
          summary: 'Change a tenant',
          params: Params,
          body: Example(TenantChanges, {
            email: 'accounts@boab.example',
            address: '14 Harbour Lane, Fremantle WA 6160',
          }),
          response: { 200: Data(TenantOut) },
        },
      },
      async (request) => {
        const options = { changes: request.body, now: edge.clock.now() }
        return { data: tenantOut(await edge.db.transaction((tx) => updateTenant(tx, request.params.id, options))) }
      },
    )

    app.delete(
      '/tenants/:id',
      {
        config: { access: ['platform_admin'] },
        schema: {
          tags,
          summary: 'Delete a tenant that never had anything',
          params: Params,
          querystring: Query({ reason: Type.Optional(Reason) }),
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const given = { id: request.params.id, reason: request.query.reason ?? null }
        const act = actOf(edge, request)
        await edge.db.transaction((tx) => deleteTenant(tx, given, act))
        return reply.code(204).send(null)
      },
    )
  }

function tenantOut(tenant: Tenant) {
  return { ...tenant, tax: taxTermsOf(tenant), tax_assumed: assumedTaxOf(tenant), warnings: warningsOf(tenant) }
}
