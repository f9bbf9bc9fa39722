import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Database, openDatabase } from '../../src/platform/db.ts'
import {
  deploy,
  csv,
  row,
  startCosts,
  upload,
  assertSound,
  type Costs,
} from '../../src/contexts/costs/costs.fixture.ts'
import { type Server, startPostgres } from '../support/postgres.ts'

const ROUNDS = 10

let server: Server
let db: Database
let costs: Costs
/** Another process on the same database. */
let other: Costs
before(async () => {
  server = await startPostgres()
  const opened = await server.database()
  db = opened.db
  costs = await startCosts(null, { db })
  other = await startCosts(null, { db: await openDatabase({ database: { kind: 'postgres', url: opened.url } }) })
})
after(async () => {
  await other.close()
  await costs.close()
  await server.stop()
})

test('rules that are added and removed at once leave each line shared by one of them, to the cent', async () => {
  const [studio, shop] = [await deploy(costs.edge, 'boab', 'studio'), await deploy(costs.edge, 'boab', 'shop')]
  await upload(costs, csv(row('Load Balancers', 'edge (syd1)', '10.00', 'platform')), 'period=2026-04&invoice_number=1')
  const add = async ({ call }: Costs, deployment_id: string) => {
    const body = { project: 'platform', shares: [{ deployment_id, weight: '1' }] }
    const answer = await call('POST', '/billing/allocation-rules', { body })
    assert.equal(answer.status, 201, answer.text)
    return answer.body.data.id
  }
  const remove = async ({ call }: Costs, id: string) => {
    const answer = await call('DELETE', `/billing/allocation-rules/${id}`)
    assert.equal(answer.status, 204, answer.text)
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    const added = await Promise.all([add(costs, studio), add(other, round % 2 === 0 ? shop : studio)])
    await assertSound(costs)
    await Promise.all([remove(costs, added[0]), remove(other, added[1])])
    await assertSound(costs)
  }
})

test('an assignment by hand holds, whatever is matched at the same time', async () => {
  const studio = await deploy(costs.edge, 'mulga', 'studio')
  const bill = await upload(costs, csv(row('Spaces', 'assets', '5.00', 'files')), 'period=2026-04&invoice_number=2')
  const query = `provider_invoice_id=${bill.body.data.id}`
  const line = async () => (await costs.call('GET', `/billing/cost-lines?${query}`)).body.data[0]
  const { id } = await line()
  const rule = { project: 'files', shares: [{ deployment_id: studio, weight: '1' }] }
  for (let round = 0; round < ROUNDS; round += 1) {
    const [, assigned] = await Promise.all([
      other.call('POST', '/billing/allocation-rules', { body: rule }),
      costs.call('POST', `/billing/cost-lines/${id}/assignment`, { body: { deployment_id: studio } }),
    ])
    assert.equal(assigned.status, 200, assigned.text)
    assert.equal((await line()).match_method, 'by_hand')
    await assertSound(costs)
    await costs.call('POST', `/billing/cost-lines/${id}/assignment`, { body: { deployment_id: null } })
  }
})

test('a name is remembered as the database spells it in lower case, which its locale decides', async () => {
  const deployment_id = await deploy(costs.edge, 'boab', 'office')
  const bill = (month: string) =>
    csv(`Droplets,,BÜRO (s-1),672,${month}-01 00:00:00 +0000,${month}-28 00:00:00 +0000,$4.00,,iaas`)
  const lines = async (month: string) => (await costs.call('GET', `/billing/cost-lines?period=${month}`)).body.data
  await upload(costs, bill('2025-01'), 'period=2025-01')
  const path = `/billing/cost-lines/${(await lines('2025-01'))[0].id}/assignment`
  await costs.call('POST', path, { body: { deployment_id, remember: true } })
  await upload(costs, bill('2025-02'), 'period=2025-02')
  const [later] = await lines('2025-02')
  assert.deepEqual([later.match_method, later.deployment_id], ['remembered', deployment_id])
  await costs.call('POST', path, { body: { deployment_id: null, remember: true } })
  assert.equal((await lines('2025-02'))[0].match_status, 'unmatched')
})

test('the same file under two numbers at once is one bill', async () => {
  const text = csv(row('Droplets', 'only (s-1)', '4.00'))
  const answers = await Promise.all([
    upload(costs, text, 'period=2026-04&invoice_number=7'),
    upload(other, text, 'period=2026-04&invoice_number=8'),
  ])
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 409],
  )
})

test('two uploads of one bill at once store one', async () => {
  const text = csv(row('Droplets', 'twice (s-1)', '4.00'), row('Droplets', 'twice (s-1)', '4.00'))
  const answers = await Promise.all(
    [costs, other, costs].map((on) => upload(on, text, 'period=2026-04&invoice_number=9')),
  )
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 200, 201],
  )
  assert.equal(new Set(answers.map(({ body }) => body.data.id)).size, 1)
  await assertSound(costs)
})

test('a deployment cannot be removed while lines are given to it, nor lines to one that is removed', async () => {
  const deployment_id = await deploy(costs.edge, 'mallee', 'studio')
  const remove = db.transaction(async (tx) => {
    await tx.deleteFrom('deployments.event').where('deployment_id', '=', deployment_id).execute()
    await tx.deleteFrom('deployments.deployment').where('id', '=', deployment_id).execute()
  })
  const bill = await upload(costs, csv(row('Spaces', 'mallee', '5.00')), 'period=2026-04&invoice_number=10')
  const lines = await costs.call('GET', `/billing/cost-lines?provider_invoice_id=${bill.body.data.id}`)
  const give = other.call('POST', `/billing/cost-lines/${lines.body.data[0].id}/assignment`, {
    body: { deployment_id },
  })
  const [removed, given] = await Promise.allSettled([remove, give])
  const isGiven = given.status === 'fulfilled' && given.value.status === 200
  assert.notEqual(removed.status === 'fulfilled', isGiven)
})
