import assert from 'node:assert/strict'
import { testHttp } from '../../../test/support/http.ts'
import { runAudit } from '../../platform/audit.ts'
import { type Database, type Tx, within } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import type { DigitalOcean } from '../../providers/digitalocean/index.ts'
import { createDeployment } from '../deployments/index.ts'
import { type ListedResource, recordInventory, RESOURCE_KINDS, type ResourceKind } from '../inventory/index.ts'
import { createTenant } from '../tenants/index.ts'
import { costsInvariants, costsRoutes } from './index.ts'
import type { CostLineRow } from './line-queries.ts'
import type { ProviderInvoiceRow } from './bill-queries.ts'

export const HEADER = 'product,group_description,description,hours,start,end,USD,project_name,category'

/** The routes on an empty database. `issued` collects what would go to the books. */
export async function startCosts(
  provider: DigitalOcean | null = null,
  { routes = () => [], ...options }: Options = {},
) {
  const issued: string[] = []
  const onBillIssued = async (_tx: Tx, bill: { provider_invoice_id: string }): Promise<void> =>
    void issued.push(bill.provider_invoice_id)
  const harness = await testHttp((edge) => [costsRoutes(edge, { provider, onBillIssued }), ...routes(edge)], options)
  return { ...harness, issued, onBillIssued }
}

/** `routes` are those of other contexts that a test needs beside. */
type Options = { db?: Database; routes?: (edge: Edge) => readonly ((app: App) => void)[] }

export type Costs = Awaited<ReturnType<typeof startCosts>>

/** As they come over HTTP. */
export type LineJson = Pick<
  CostLineRow,
  'id' | 'description' | 'match_status' | 'match_method' | 'deployment_id' | 'shares'
> & {
  match_reason: string
  charge_period: { start: string; end: string }
}
export type InvoiceJson = Omit<ProviderInvoiceRow, 'period_start' | 'period_end'> & {
  balanced: boolean | null
  summary_check: string
}

/**
 * Without triggers, because issued bills refuse to be deleted. Truncating makes new files for every table and index, which
 * takes longer than most tests do.
 */
export async function emptyTables({ db, issued }: Costs): Promise<void> {
  issued.length = 0
  await db.script(`
    begin;
    set local session_replication_role = replica;
    do $$
    declare filled record;
    begin
      for filled in
        select schemaname, tablename from pg_tables
        where schemaname in ('costs', 'deployments', 'inventory', 'invoicing', 'llm_usage', 'metering', 'subscriptions', 'tenants')
      loop
        execute format('delete from %I.%I', filled.schemaname, filled.tablename);
      end loop;
    end $$;
    commit;
  `)
}

/** A deployment of a tenant, which is made if it is not there. */
export async function deploy({ db, ids, clock }: Edge, tenant_id: string, slug: string): Promise<string> {
  return db.transaction(async (tx) => {
    const tenant = await tx.selectFrom('tenants.tenant').select('id').where('id', '=', tenant_id).executeTakeFirst()
    const now = clock.now()
    const billing = { id: tenant_id, legal_name: tenant_id, country: 'AU', currency: 'USD' }
    if (!tenant) await createTenant(within(tx), billing, { now })
    return (await createDeployment(within(tx), { tenant_id, slug }, { now, ids, actor: 'test' })).id
  })
}

export type Listed = { kind?: ResourceKind } & Pick<ListedResource, 'external_id' | 'name'> & Partial<ListedResource>

/** What the provider lists at a time; whatever is missing is gone then. */
export async function listInventory({ db, ids }: Edge, at: string, resources: readonly Listed[]) {
  const seen_at = Temporal.Instant.from(at)
  const kinds = RESOURCE_KINDS.map((kind) => ({
    kind,
    resources: resources.filter((resource) => (resource.kind ?? 'droplet') === kind).map(listed),
  }))
  return db.transaction((tx) =>
    recordInventory(within(tx), { provider: 'digitalocean', kinds, seen_at }, { now: seen_at, ids }),
  )
}

function listed({ kind: _kind, ...resource }: Listed): ListedResource {
  const born_at = Temporal.Instant.from('2026-01-01T00:00:00Z')
  const bare = { size: 'small', size_gb: '0', region: null, project: null, tags: [], parent: null, price_monthly: null }
  return { ...bare, born_at, ...resource }
}

export function csv(...rows: readonly string[]): string {
  return `${[HEADER, ...rows].join('\n')}\n`
}

/** A row of April 2026. */
export function row(product: string, description: string, amount: string, project = ''): string {
  return `${product},,${description},720,2026-04-01 00:00:00 +0000,2026-05-01 00:00:00 +0000,$${amount},${project},iaas`
}

export async function upload({ call }: Costs, text: string, query = 'period=2026-04') {
  const headers = { 'content-type': 'text/csv' }
  return call('POST', `/billing/provider-invoices/import?${query}`, { body: text, headers })
}

export async function assertSound({ db }: Costs): Promise<void> {
  assert.deepEqual(await brokenInvariants(db), [])
}

export async function brokenInvariants(db: Costs['db']): Promise<string[]> {
  const findings = await runAudit(db.read, costsInvariants)
  return findings.filter(({ ok }) => !ok).map(({ name }) => name)
}
