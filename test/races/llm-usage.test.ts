import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sql } from 'kysely'
import { llmUsageRoutes } from '../../src/contexts/llm-usage/index.ts'
import { type Database, insertRows, within } from '../../src/platform/db.ts'
import { testHttp } from '../support/http.ts'
import { type Server, startPostgres } from '../support/postgres.ts'
import { PATIENCE_MS } from '../support/patience.ts'

const WEB = '11111111-1111-4111-8111-111111111111'
const NOW = Temporal.Instant.from('2026-05-02T06:00:00Z')
const POLL_MS = 10

let server: Server
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

test('a charge that comes in while its tenant changes currency is judged by the new one', async () => {
  const { db } = await server.database()
  await enterTenant(db)
  const harness = await testHttp((edge) => [llmUsageRoutes(edge)], { db })
  try {
    const sent = await db.transaction(async (tx) => {
      await tx.updateTable('tenants.tenant').set({ currency: 'EUR' }).execute()
      // Begins before the change commits, so it must wait for it. Not awaited here: that would never end.
      const answer = harness.call('POST', '/integrations/llm-usage', { body: charge('USD') })
      await someoneWaits(db)
      return { answer }
    })
    const refused = await sent.answer
    assert.deepEqual([refused.status, refused.body.code], [422, 'llm-usage/wrong-currency'])
    assert.equal((await harness.call('POST', '/integrations/llm-usage', { body: charge('EUR') })).status, 201)
  } finally {
    await harness.app.close()
  }
})

function charge(currency: string) {
  return {
    gateway_id: 'gateway',
    gateway_request_id: 'req_1',
    occurred_at: NOW.toString(),
    tenant_id: 't_1',
    deployment_id: WEB,
    provider: 'p',
    model: 'm',
    usage: {},
    charge: '10',
    currency,
  }
}

async function someoneWaits(db: Database): Promise<void> {
  for (let waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += POLL_MS) {
    const { rows } = await sql`select from pg_locks where not granted`.execute(db.read)
    if (rows.length > 0) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  assert.fail('nobody waits for a lock')
}

async function enterTenant(db: Database): Promise<void> {
  const made = { created_at: NOW, updated_at: NOW }
  await db.transaction(async (tx) => {
    await insertRows(within<'tenants'>(tx), 'tenants.tenant', [
      {
        id: 't_1',
        legal_name: 'X',
        country: 'AU',
        currency: 'USD',
        timezone: 'UTC',
        tax_treatment: 'exempt',
        ...made,
      },
    ])
    await insertRows(within<'deployments'>(tx), 'deployments.deployment', [
      {
        tenant_id: 't_1',
        id: WEB,
        slug: 'web',
        display_name: 'x',
        llm_mode: 'metered',
        state: 'active',
        billing_action_suspended: false,
        ...made,
      },
    ])
  })
}
