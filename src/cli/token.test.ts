import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { memoryDatabase } from '../../test/support/database.ts'
import type { Database } from '../platform/db.ts'
import { requireRole, requireTenant } from './token.ts'

let db: Database
before(async () => {
  db = await memoryDatabase()
})
after(() => db.close())

test('a token is made for a role that there is, and a tenant’s for a tenant', () => {
  assert.throws(() => requireRole({ role: 'plattform_admin', tenant: 't_1' }), {
    message: 'There is no role plattform_admin. It must be one of: platform_admin, gateway, meter, tenant.',
  })
  assert.throws(() => requireRole({ role: 'tenant' }), { message: /name it with --tenant/ })
  requireRole({ role: 'tenant', tenant: 't_1' })
  requireRole({ role: 'platform_admin' })
})

test('a token is made for a tenant that there is', async () => {
  await assert.rejects(requireTenant(db.read, 't_1'), { message: /There is no tenant t_1/ })
  const now = Temporal.Instant.from('2026-05-02T06:00:00Z')
  await db.transaction((tx) =>
    tx
      .insertInto('tenants.tenant')
      .values({
        id: 't_1',
        legal_name: 'One',
        country: 'NO',
        currency: 'USD',
        timezone: 'UTC',
        tax_treatment: 'export',
        created_at: now,
        updated_at: now,
      })
      .execute(),
  )
  await requireTenant(db.read, 't_1')
})
