import { whatIf } from '../src/contexts/margin/index.ts'
import { present } from '../src/kernel/invariant.ts'
import { parseMonth } from '../src/kernel/period.ts'
import type { Database } from '../src/platform/db.ts'
import { startPostgres } from '../test/support/postgres.ts'

const SUBSCRIPTIONS = 10_000
const FEWER_SUBSCRIPTIONS = 1_000
const MONTHS = { from: '2026-01', to: '2026-04' }
const ROUNDS = 3
const RATIO_MAX = 1.2
const NOW = Temporal.Instant.from('2026-05-02T06:00:00Z')

/**
 * Four months of 10,000 subscriptions rated under another plan version on a real PostgreSQL: each on a plan of five
 * charges, with eight events a month on four meters. What one subscription costs must not grow with their number. Prints
 * both and answers whether it holds.
 */
export async function runWhatIfBench(): Promise<boolean> {
  const server = await startPostgres()
  try {
    const [fewer, all] = [(await server.database()).db, (await server.database()).db]
    await makeCompany(fewer, FEWER_SUBSCRIPTIONS)
    await makeCompany(all, SUBSCRIPTIONS)
    const few: number[] = []
    const many: number[] = []
    await millisecondsEach(fewer, FEWER_SUBSCRIPTIONS)
    // Alternating, and the quickest of each: whatever else the machine does only ever adds to it.
    for (let round = 0; round < ROUNDS; round += 1) {
      few.push(await millisecondsEach(fewer, FEWER_SUBSCRIPTIONS))
      many.push(await millisecondsEach(all, SUBSCRIPTIONS))
    }
    const [few_ms, many_ms] = [Math.min(...few), Math.min(...many)]
    const ratio = many_ms / few_ms
    console.log('what-if: four months, now and then, per subscription')
    console.log(`  ${FEWER_SUBSCRIPTIONS} subscriptions   ${few_ms.toFixed(2)} ms each`)
    console.log(`  ${SUBSCRIPTIONS} subscriptions  ${many_ms.toFixed(2)} ms each`)
    console.log(`  ratio               ${ratio.toFixed(2)} (at most ${RATIO_MAX})`)
    return ratio <= RATIO_MAX
  } finally {
    await server.stop()
  }
}

async function millisecondsEach(db: Database, subscriptions: number): Promise<number> {
  const started = performance.now()
  const { totals } = await whatIf(db.read, {
    plan: { code: 'studio', version: 2 },
    from: present(parseMonth(MONTHS.from), 'a month'),
    to: present(parseMonth(MONTHS.to), 'a month'),
    now: NOW,
  })
  const took_ms = performance.now() - started
  if (totals.tenants !== subscriptions || totals.losers !== subscriptions) throw new Error('every tenant pays more')
  return took_ms / subscriptions
}

/** Tenants since January with a deployment on version 1 of a plan each, and what they used; version 2 is dearer. */
async function makeCompany(db: Database, subscriptions: number): Promise<void> {
  const each = `from generate_series(0, ${subscriptions - 1}) n`
  await db.script(`
    insert into catalog.meter (code, name, unit, aggregation, created_at)
    select code, code, 'one', aggregation, '2026-01-01' from (values
      ('calls', 'sum'), ('storage', 'max'), ('emails', 'count'), ('payments', 'sum')) meter (code, aggregation);
    insert into catalog.plan (code, name, created_at) values ('studio', 'Studio', '2026-01-01');
    insert into catalog.plan_version (id, plan_code, version, status, currency, interval, base_price_cents, proration,
      created_at)
    select ${uuidOf('version')}, 'studio', version, 'draft', 'USD', 'month', 5000 * version, 'daily', '2026-01-01'
    from generate_series(1, 2) version;
    insert into catalog.charge (plan_version_id, position, meter, model, unit_price, tiers, package_size, package_price,
      rate, included_quantity, max_amount, filter)
    select ${uuidOf('version')}, charge.* from generate_series(1, 2) version cross join (values
      (0, 'calls', 'per_unit', 0.02, null::jsonb, null::numeric, null::numeric, null::numeric, null::numeric, null::numeric,
        '{"region": ["syd1"]}'::jsonb),
      (1, 'calls', 'graduated', null, '[{"up_to": "10", "unit_price": "0.10"}, {"up_to": null, "unit_price": "0.05"}]',
        null, null, null, 5, null, null),
      (2, 'storage', 'volume', null, '[{"up_to": "100", "unit_price": "0.10"}, {"up_to": null, "unit_price": "0.05"}]',
        null, null, null, null, null, null),
      (3, 'emails', 'package', null, null, 10, 1, null, 1, null, null),
      (4, 'payments', 'percentage', null, null, null, null, 0.029, null, 50, null)
    ) charge;
    update catalog.plan_version set status = 'published', published_at = '2026-01-01' where version = 1;

    insert into tenants.tenant (id, legal_name, country, currency, timezone, tax_treatment, created_at, updated_at)
    select 't' || n, 'Tenant ' || n, 'AU', 'USD', 'UTC', 'exempt', '2026-01-01', '2026-01-01' ${each};
    insert into deployments.deployment (tenant_id, id, slug, display_name, llm_mode, state, billing_action_suspended,
      created_at, updated_at)
    select 't' || n, ${uuidOf('n')}, 'app', 'App', 'off', 'active', false, '2026-01-01', '2026-01-01' ${each};
    insert into subscriptions.subscription (tenant_id, id, deployment_id, starts_on, created_at, changed_at)
    select 't' || n, ${uuidOf('n')}, ${uuidOf('n')}, '2026-01-01', '2026-01-01', '2026-01-01' ${each};
    insert into subscriptions.phase (tenant_id, id, subscription_id, plan_version_id, mode, starts_on)
    select 't' || n, ${uuidOf('n')}, ${uuidOf('n')}, ${uuidOf('1')}, 'normal', '2026-01-01' ${each};
    insert into metering.usage_event (tenant_id, source, event_id, deployment_id, meter, quantity, occurred_at, properties,
      content_hash, received_at)
    select 't' || n, 'bench', month || '/' || meter || '/' || day, ${uuidOf('n')}, meter, n % 50 + day,
      make_timestamptz(2026, month, day, 12, 0, 0, 'UTC'), jsonb_build_object('region', case day when 5 then 'syd1' end), '',
      make_timestamptz(2026, month, day, 12, 0, 0, 'UTC')
    ${each}, generate_series(1, 4) month, unnest(array['calls', 'storage', 'emails', 'payments']) meter,
      unnest(array[5, 20]) day;
    analyze;`)
}

function uuidOf(number: string): string {
  return `('00000000-0000-4000-8000-' || lpad((${number})::text, 12, '0'))::uuid`
}
