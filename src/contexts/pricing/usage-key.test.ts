import assert from 'node:assert/strict'
import { test } from 'node:test'
import { usageKey } from './usage-key.ts'

test('usage is called by its meter, or by meter and filter, whatever the order of the filter', () => {
  assert.equal(usageKey({ meter: 'requests' }), 'requests')
  assert.equal(usageKey({ meter: 'requests', filter: null }), 'requests')
  assert.equal(
    usageKey({ meter: 'requests', filter: { tier: ['a'], region: ['syd2', 'syd1'] } }),
    'requests[region=syd1|syd2,tier=a]',
  )
})
