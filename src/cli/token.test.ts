import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requireRole } from './token.ts'

test('a token is made for a role that there is, and a tenant’s for a tenant', () => {
  assert.throws(() => requireRole({ role: 'plattform_admin', tenant: 't_1' }), {
    message: 'There is no role plattform_admin. It must be one of: platform_admin, gateway, meter, tenant.',
  })
  assert.throws(() => requireRole({ role: 'tenant' }), { message: /name it with --tenant/ })
  requireRole({ role: 'tenant', tenant: 't_1' })
  requireRole({ role: 'platform_admin' })
})
