import type { Database } from '../src/platform/db.ts'

export const RESOURCES = 50_000
export const DEPLOYMENTS = 2_000
export const TENANTS = 200
export const PROJECTS = 500

/**
 * Resources of a provider since January 2026, tagged with their deployments. Every fifth was renamed in March and every
 * fiftieth changed hands in April; every hundredth belongs to nobody.
 */
export async function makeInventory(db: Database): Promise<void> {
  await db.script(`
    insert into tenants.tenant (id, legal_name, country, currency, timezone, tax_treatment, created_at, updated_at)
    select 'tenant-' || n, 'Tenant ' || n, 'AU', 'USD', 'UTC', 'exempt', '2026-01-01', '2026-01-01'
    from generate_series(0, ${TENANTS - 1}) n;

    insert into deployments.deployment (tenant_id, id, slug, display_name, llm_mode, state, billing_action_suspended,
      created_at, updated_at)
    select 'tenant-' || n % ${TENANTS}, ${uuidOf('n')}, 'app-' || n, 'App ' || n, 'off', 'active', false,
      '2026-01-01', '2026-01-01'
    from generate_series(0, ${DEPLOYMENTS - 1}) n;

    insert into inventory.resource (id, provider, kind, external_id, name, region, project, tags, born_at, first_seen_at,
      last_seen_at)
    select ${uuidOf('n + 1000000')}, 'digitalocean',
      case n % 10 when 0 then 'volume' when 1 then 'load_balancer' else 'droplet' end, n::text, 'node-' || n, 'nyc1',
      'project-' || n % ${PROJECTS}, array['arcadia:tenant-' || n % ${TENANTS} || ':app-' || n % ${DEPLOYMENTS}, 'env:prod'],
      '2026-01-01', '2026-01-01', '2026-05-01'
    from generate_series(0, ${RESOURCES - 1}) n;

    insert into inventory.span (id, resource_id, starts_at, ends_at, name, size, size_gb, tenant_id, deployment_id,
      changed_at, project, tags)
    select gen_random_uuid(), r.id, span.starts_at, span.ends_at, span.name, 's-1vcpu-2gb', 50,
      case when n % 100 > 0 then 'tenant-' || span.owner % ${TENANTS} end,
      case when n % 100 > 0 then ${uuidOf(`span.owner % ${DEPLOYMENTS}`)} end, span.starts_at, r.project, r.tags
    from inventory.resource r cross join lateral (select r.external_id::integer as n) number cross join lateral (
      values
        ('2026-01-01'::timestamptz, case when n % 5 = 0 then '2026-03-10'::timestamptz end,
          case when n % 5 = 0 then 'former-' || n else r.name end, n),
        ('2026-03-10', case when n % 50 = 0 then '2026-04-15'::timestamptz end, r.name, n),
        ('2026-04-15', null, r.name, n + 1)
    ) span (starts_at, ends_at, name, owner)
    where span.starts_at = '2026-01-01' or span.starts_at = '2026-03-10' and n % 5 = 0
      or span.starts_at = '2026-04-15' and n % 50 = 0;

    analyze;`)
}

function uuidOf(number: string): string {
  return `('00000000-0000-4000-8000-' || lpad((${number})::text, 12, '0'))::uuid`
}
