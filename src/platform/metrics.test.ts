import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from './metrics.ts'

const NAMED = { name: 'arcadia_test', help: 'x', label: 'kind' }

test('a figure is read once for a while, with a value for each label', async () => {
  const metrics = createMetrics()
  let reads = 0
  metrics.gauge(NAMED, async () => new Map([['a', (reads += 1)]]))
  await metrics.text()
  assert.match((await metrics.text()).body, /arcadia_test\{kind="a"\} 1\n/)
})

test('a figure that cannot be read is left out, and the others are told', async () => {
  const metrics = createMetrics()
  metrics.gauge(NAMED, () => Promise.reject(new Error('the database is away')))
  const { body } = await metrics.text()
  assert.doesNotMatch(body, /arcadia_test\{/)
  assert.match(body, /arcadia_process_cpu_seconds_total/)
})
