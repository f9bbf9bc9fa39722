import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Type } from 'typebox'
import { testHttp } from '../../../test/support/http.ts'
import { runAudit } from '../../platform/audit.ts'
import { rehearse } from '../../platform/db.ts'
import type { Edge } from '../../platform/edge.ts'
import { loadOwnersByTag } from '../inventory/queries.ts'
import { subscriptionsRoutes } from '../subscriptions/index.ts'
import { tenantsRoutes } from '../tenants/index.ts'
import { type DeploymentTransition, transition } from './commands.ts'
import { DEPLOYMENT_STATES, type DeploymentState, TRANSITIONS } from './deployment.ts'
import { deploymentsInvariants } from './invariants.ts'
import { deploymentsRoutes, type TransitionPreview } from './routes.ts'

const UNKNOWN = '00000000-0000-4000-8000-000000000000'

let harness: Awaited<ReturnType<typeof testHttp>>
let followed: DeploymentTransition[] = []
const onTransition = async (_tx: unknown, change: DeploymentTransition) => void followed.push(change)
const preview = ({ db }: Edge): TransitionPreview => ({
  answer: Type.Object({ from: Type.String(), to: Type.String() }),
  of: (move) => rehearse(db, async (tx) => move(tx)),
})
before(async () => {
  harness = await testHttp((edge) => [
    tenantsRoutes(edge),
    deploymentsRoutes(edge, { onTransition, preview: preview(edge) }),
    subscriptionsRoutes(edge, { previewInvoices: async () => ({ months: [], billed_by_hand: null }) }),
  ])
  for (const id of ['acme', 'globex']) {
    await harness.call('POST', '/tenants', { body: { id, legal_name: id, country: 'AU', currency: 'AUD' } })
  }
})
after(() => harness.close())

async function deploy(slug: string, body: object = {}): Promise<string> {
  const made = await harness.call('POST', '/deployments', { body: { tenant_id: 'acme', slug, ...body } })
  assert.equal(made.status, 201, made.text)
  return made.body.data.id
}

/** Puts a deployment into a state without asking the lifecycle. */
async function force(id: string, state: DeploymentState): Promise<void> {
  await harness.db.transaction((tx) =>
    tx.updateTable('deployments.deployment').set({ state }).where('id', '=', id).execute(),
  )
}

test('a deployment is found by tenant~slug too, by an id in capitals, and by a filter; for another tenant there is none', async () => {
  const id = await deploy('named')
  for (const name of ['acme~named', id.toUpperCase(), id])
    assert.equal((await harness.call('GET', `/deployments/${name}`)).body.data.id, id, name)
  assert.equal((await harness.call('PATCH', '/deployments/acme~named', { body: { region: 'syd1' } })).body.data.id, id)
  const { data } = (await harness.call('GET', '/deployments?tenant_id=acme&slug=named')).body
  assert.deepEqual(
    data.map((found: { id: string }) => found.id),
    [id],
  )
  assert.equal((await harness.call('GET', '/deployments/acme~named', { as: { tenant: 'acme' } })).status, 200)
  for (const [name, as] of [
    ['acme~named', { tenant: 'globex' }],
    ['globex~named', 'operator'],
  ] as const) {
    const { status, body } = await harness.call('GET', `/deployments/${name}`, { as })
    assert.deepEqual([status, body.detail], [404, `No such deployment: ${name}.`])
  }
})

test('a deployment is active and metered, and named by its slug, unless it says otherwise', async () => {
  const plain = await harness.call('POST', '/deployments', { body: { tenant_id: 'acme', slug: 'shop' } })
  assert.equal(plain.status, 201)
  const { id, ...answered } = plain.body.data
  const at = '2026-05-02T06:00:00Z'
  assert.deepEqual(answered, {
    tenant_id: 'acme',
    slug: 'shop',
    slug_released_at: null,
    display_name: 'shop',
    region: null,
    template_code: null,
    template_version: null,
    llm_mode: 'metered',
    state: 'active',
    billing_action_suspended: false,
    created_at: at,
    updated_at: at,
  })
  const { body } = await harness.call('GET', `/deployments/${id}`)
  assert.equal(body.data.subscription, null)
  const [{ id: _id, ...event }] = body.data.events
  assert.deepEqual(event, {
    kind: 'created',
    from_state: null,
    to_state: 'active',
    actor: 'test-platform_admin',
    reason: null,
    details: {},
    occurred_at: at,
  })
})

test('a deployment may start on trial', async () => {
  const id = await deploy('trying', {
    state: 'trial',
    llm_mode: 'off',
    display_name: 'Trying',
    region: 'syd1',
    template_code: 'wordpress',
    template_version: '6.5',
  })
  const { body } = await harness.call('GET', `/deployments/${id}`)
  const { state, llm_mode, region, template_code, template_version } = body.data
  assert.deepEqual(
    [state, llm_mode, region, template_code, template_version],
    ['trial', 'off', 'syd1', 'wordpress', '6.5'],
  )
})

test('a slug is taken once within a tenant', async () => {
  await deploy('taken')
  const again = await harness.call('POST', '/deployments', { body: { tenant_id: 'acme', slug: 'taken' } })
  assert.equal(again.status, 409)
  assert.equal(again.body.code, 'deployments/slug-taken')
  await deploy('taken', { tenant_id: 'globex' })
})

test('the slug of an archived deployment that was never billed is taken over by a new one', async () => {
  const mistaken = await deploy('retaken')
  for (const to of ['cancelled', 'archived']) {
    assert.equal(
      (await harness.call('POST', '/deployments', { body: { tenant_id: 'acme', slug: 'retaken' } })).status,
      409,
    )
    await harness.call('POST', `/deployments/${mistaken}/transition`, { body: { to } })
  }
  const live = await deploy('retaken')
  const { data } = (await harness.call('GET', `/deployments/${mistaken}`)).body
  assert.deepEqual([data.slug, data.slug_released_at], ['retaken', '2026-05-02T06:00:00Z'])
  const { details, actor } = data.events.find(({ kind }: { kind: string }) => kind === 'updated')
  assert.deepEqual([details, actor], [{ slug_released_at: '2026-05-02T06:00:00Z' }, 'test-platform_admin'])
  const first = await harness.call('GET', '/deployments?tenant_id=acme&limit=200')
  const listed = first.body.data.filter(({ slug }: { slug: string }) => slug === 'retaken')
  assert.deepEqual(new Set(listed.map(({ id }: { id: string }) => id)), new Set([mistaken, live]))
  const owners = await loadOwnersByTag(harness.db.read, ['arcadia:acme:retaken'])
  assert.equal(owners.get('arcadia:acme:retaken')?.deployment_id, live)

  const forced = (id: string) =>
    harness.db.transaction((tx) =>
      tx.updateTable('deployments.deployment').set({ slug_released_at: null }).where('id', '=', id).execute(),
    )
  await assert.rejects(forced(mistaken), { code: 'deployments/slug-taken' })
})

test('the slug of a deployment that was billed, or has something to bill, stays its own', async () => {
  const billed = await deploy('billed')
  await harness.db.script(`
    insert into subscriptions.subscription (tenant_id, id, deployment_id, starts_on, ends_on, created_at, changed_at)
    values ('acme', gen_random_uuid(), '${billed}', '2026-04-01', '2026-04-02', now(), now())`)
  for (const to of ['cancelled', 'archived']) {
    await harness.call('POST', `/deployments/${billed}/transition`, { body: { to } })
  }
  const again = await harness.call('POST', '/deployments', { body: { tenant_id: 'acme', slug: 'billed' } })
  assert.deepEqual([again.status, again.body.code], [409, 'deployments/slug-taken'])
  assert.deepEqual(again.body.errors, [
    { path: 'slug', message: `is held by deployment ${billed}, which was billed or has something to bill` },
  ])
  const released = harness.db.script(`
    update deployments.deployment set slug_released_at = now() where tenant_id = 'acme' and slug = 'shop'`)
  await assert.rejects(released, /deployment_slug_released_when_archived/)
})

test('what a deployment cannot be is refused', async () => {
  const cases: [object, string][] = [
    [{ tenant_id: 'nobody' }, 'deployments/unknown-tenant'],
    [{ slug: 'Has Space' }, 'request/invalid'],
    [{ state: 'paused' }, 'request/invalid'],
    [{ llm_mode: 'free' }, 'request/invalid'],
    [{ region: '' }, 'request/invalid'],
    [{ status: 'active' }, 'request/invalid'],
    [{ template: 'wordpress' }, 'request/invalid'],
    [{ display_name: 5 }, 'request/invalid'],
    [{ surprise: true }, 'request/invalid'],
  ]
  for (const [wrong, code] of cases) {
    const body = { tenant_id: 'acme', slug: 'wrong', ...wrong }
    const refused = await harness.call('POST', '/deployments', { body })
    assert.equal(refused.status, 422, JSON.stringify(wrong))
    assert.equal(refused.body.code, code)
  }
})

test('every pair of states is allowed or refused as the lifecycle says', async () => {
  const id = await deploy('moving')
  for (const from of DEPLOYMENT_STATES) {
    for (const to of DEPLOYMENT_STATES) {
      await force(id, from)
      const { status, body } = await harness.call('POST', `/deployments/${id}/transition`, { body: { to } })
      const allowed = TRANSITIONS[from].includes(to)
      assert.equal(status, allowed ? 200 : 422, `${from} to ${to}`)
      if (allowed) assert.equal(body.data.state, to)
      else assert.equal(body.code, 'deployments/invalid-transition')
    }
  }
})

test('a transition is previewed by whoever knows what it means, and one that is not possible refused', async () => {
  const id = await deploy('previewing')
  const preview = (to: string) => harness.call('POST', `/deployments/${id}/transition?preview=true`, { body: { to } })
  const { status, body } = await preview('cancelled')
  assert.deepEqual([status, body.data], [200, { from: 'active', to: 'cancelled' }])
  assert.equal((await preview('archived')).body.code, 'deployments/invalid-transition')
  const { data } = (await harness.call('GET', `/deployments/${id}`)).body
  assert.deepEqual([data.state, data.events.length], ['active', 1])
})

test('a refused transition names what is possible', async () => {
  const id = await deploy('naming', { state: 'trial' })
  const { body } = await harness.call('POST', `/deployments/${id}/transition`, { body: { to: 'paused', reason: 'x' } })
  assert.match(body.detail, /active, suspended, cancelled/)
  assert.equal(body.errors[0].path, 'to')
})

test('a transition is recorded with actor, reason and time, and followed once', async () => {
  const id = await deploy('recorded')
  followed = []
  await harness.call('POST', `/deployments/${id}/transition`, { body: { to: 'paused', reason: 'Holidays' } })
  await harness.call('POST', `/deployments/${id}/transition`, { body: { to: 'paused', reason: 'Again' } })
  const { body } = await harness.call('GET', `/deployments/${id}`)
  const moves = body.data.events.filter((event: { kind: string }) => event.kind === 'transition')
  assert.equal(moves.length, 1)
  assert.deepEqual(
    [moves[0].from_state, moves[0].to_state, moves[0].actor, moves[0].reason],
    ['active', 'paused', 'test-platform_admin', 'Holidays'],
  )
  assert.deepEqual(followed, [
    { tenant_id: 'acme', deployment_id: id, from: 'active', to: 'paused', at: harness.clock.now() },
  ])
})

test('the override stops automatic billing actions, and only those', async () => {
  const id = await deploy('protected')
  await harness.call('PATCH', `/deployments/${id}`, { body: { billing_action_suspended: true } })
  const automatic = { now: harness.clock.now(), actor: 'system:dunning', ids: harness.edge.ids }
  const move = (to: DeploymentState) =>
    harness.db.transaction((tx) => transition(tx, { id, to, reason: null }, automatic))
  await assert.rejects(move('past_due'), { code: 'deployments/billing-action-suspended', status: 409 })
  await assert.rejects(move('suspended'), { code: 'deployments/billing-action-suspended' })
  assert.equal((await move('paused')).deployment.state, 'paused')
  await force(id, 'active')
  const by_hand = await harness.call('POST', `/deployments/${id}/transition`, { body: { to: 'suspended' } })
  assert.equal(by_hand.status, 200)
})

test('a change is recorded with what is new in it, and not at all when nothing is', async () => {
  const id = await deploy('changing')
  const body = { display_name: 'Changed', llm_mode: 'metered' }
  for (const status of [200, 200]) {
    assert.equal((await harness.call('PATCH', `/deployments/${id}`, { body })).status, status)
  }
  const { body: answer } = await harness.call('GET', `/deployments/${id}`)
  assert.equal(answer.data.display_name, 'Changed')
  const updates = answer.data.events.filter((event: { kind: string }) => event.kind === 'updated')
  assert.deepEqual(
    updates.map((event: { details: object }) => event.details),
    [{ display_name: 'Changed' }],
  )
})

test('region, template and how LLM usage is paid for can be changed', async () => {
  const id = await deploy('moved')
  const changes = { region: 'fra1', template_code: 'ghost', template_version: '5.2', llm_mode: 'byok' }
  const { status, body } = await harness.call('PATCH', `/deployments/${id}`, { body: changes })
  assert.equal(status, 200)
  const { region, template_code, template_version, llm_mode } = body.data
  assert.deepEqual({ region, template_code, template_version, llm_mode }, changes)
  const cleared = { region: null, template_code: null, template_version: null }
  const now = harness.clock.now()
  harness.clock.set(now.add({ hours: 1 }).toString())
  await harness.call('PATCH', `/deployments/${id}`, { body: cleared })
  harness.clock.set(now.toString())
  const { events } = (await harness.call('GET', `/deployments/${id}`)).body.data
  const updates = events.filter(({ kind }: { kind: string }) => kind === 'updated')
  assert.deepEqual(
    updates.map(({ details }: { details: object }) => details),
    [cleared, changes],
  )
})

test('state, slug and tenant cannot be changed by a patch', async () => {
  const id = await deploy('steady')
  for (const body of [{ state: 'paused' }, { slug: 'other' }, { tenant_id: 'globex' }, { llm_mode: 1 }]) {
    assert.equal((await harness.call('PATCH', `/deployments/${id}`, { body })).status, 422)
  }
})

test('a tenant sees its own deployments and nothing of others', async () => {
  const own = await deploy('mine')
  const other = await deploy('theirs', { tenant_id: 'globex' })
  const as = { tenant: 'acme' }
  assert.equal((await harness.call('GET', `/deployments/${own}`, { as })).status, 200)
  assert.equal((await harness.call('GET', `/deployments/${other}`, { as })).status, 404)
  for (const query of ['', '&tenant_id=globex']) {
    const { body } = await harness.call('GET', `/deployments?limit=200${query}`, { as })
    assert.ok(body.data.every((row: { tenant_id: string }) => row.tenant_id === 'acme'))
  }
  assert.equal((await harness.call('POST', '/deployments', { as, body: {} })).status, 403)
  assert.equal((await harness.call('PATCH', `/deployments/${own}`, { as, body: {} })).status, 403)
  assert.equal((await harness.call('POST', `/deployments/${own}/transition`, { as, body: {} })).status, 403)
})

test('lists are filtered, and their pages follow one another without gaps', async () => {
  await deploy('dormant', { tenant_id: 'globex', state: 'trial' })
  const trials = await harness.call('GET', '/deployments?tenant_id=globex&state=trial')
  assert.deepEqual(
    trials.body.data.map((row: { slug: string }) => row.slug),
    ['dormant'],
  )
  const whole = await harness.call('GET', '/deployments?limit=200')
  const first = await harness.call('GET', '/deployments?limit=3')
  const rest = await harness.call('GET', `/deployments?limit=200&cursor=${first.body.next_cursor}`)
  assert.deepEqual([...first.body.data, ...rest.body.data], whole.body.data)
  assert.equal((await harness.call('GET', '/deployments?state=asleep')).status, 422)
})

test('what does not exist is not found', async () => {
  for (const id of [UNKNOWN, 'not-an-id']) {
    assert.equal((await harness.call('GET', `/deployments/${id}`)).status, 404)
    assert.equal((await harness.call('PATCH', `/deployments/${id}`, { body: {} })).status, 404)
    assert.equal((await harness.call('POST', `/deployments/${id}/transition`, { body: { to: 'active' } })).status, 404)
  }
})

test('the audit finds a state and a transition that the lifecycle does not know', async () => {
  const forced = await deploy('forced')
  await force(forced, 'archived')
  await harness.db.script(`
    update deployments.event set kind = 'transition', from_state = 'archived' where deployment_id = '${forced}'`)
  const findings = await runAudit(harness.db.read, deploymentsInvariants)
  for (const { name, violations } of findings) {
    assert.ok(
      violations.some((violation) => violation.subject === forced),
      name,
    )
  }
  assert.equal(findings.length, 2)
})
