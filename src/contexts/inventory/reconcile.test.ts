import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, assert as check, boolean, constantFrom, option, property, record, uniqueArray } from 'fast-check'
import { type Changes, type KnownResource, reconcile, type ResourceState } from './reconcile.ts'
import { type Inventory, type ListedResource, type Owner, ownerByTags, reassign, type Span } from './resource.ts'

const BORN = Temporal.Instant.from('2026-04-01T00:00:00Z')
const OWNERS = new Map<string, Owner>([
  ['arcadia:a:web', { tenant_id: 'a', deployment_id: 'web-of-a' }],
  ['arcadia:b:web', { tenant_id: 'b', deployment_id: 'web-of-b' }],
])

test('tags are compared without case', () => {
  assert.deepEqual(ownerByTags(['blue', 'Arcadia:A:Web'], OWNERS), OWNERS.get('arcadia:a:web'))
})

test('tags that name two deployments name none', () => {
  assert.equal(ownerByTags(['arcadia:a:web', 'arcadia:b:web'], OWNERS), null)
  assert.deepEqual(ownerByTags(['arcadia:a:web', 'arcadia:gone:web'], OWNERS), OWNERS.get('arcadia:a:web'))
})

const listings = array(
  record({
    resources: uniqueArray(
      record({
        external_id: constantFrom('1', '2', '3'),
        name: constantFrom('web', 'db'),
        size_gb: constantFrom('10', '20'),
        tags: constantFrom<string[]>([], ['arcadia:a:web'], ['arcadia:b:web'], ['arcadia:unknown:x']),
      }),
      { selector: ({ external_id }) => external_id },
    ),
    is_at_once: boolean(),
    assigned: option(constantFrom(...OWNERS.values())),
  }),
  { minLength: 1, maxLength: 8 },
)

test('whatever is listed: spans never overlap, lie within the life, and are open exactly while alive', () => {
  check(
    property(listings, (steps) => {
      const store = emptyStore()
      let seen_at = BORN
      for (const { resources, is_at_once, assigned } of steps) {
        if (!is_at_once) seen_at = seen_at.add({ hours: 1 })
        if (assigned) for (const stored of store.resources.values()) stored.assigned ??= assigned
        store.record(inventory(resources.map(listed), seen_at))
        for (const stored of store.resources.values()) assertSound(stored)
      }
    }),
  )
})

test('the same listing again changes nothing', () => {
  check(
    property(listings, (steps) => {
      const store = emptyStore()
      for (const [hour, { resources }] of steps.entries()) {
        const at = BORN.add({ hours: hour + 1 })
        store.record(inventory(resources.map(listed), at))
        const again = store.decide(inventory(resources.map(listed), at.add({ minutes: 1 })))
        assert.deepEqual(quiet(again), NOTHING)
      }
    }),
  )
})

test('reassigning leaves what was before as it is, and covers the same time', () => {
  const spans = [span('1', 0, 4, null), span('2', 4, 8, null), span('3', 8, null, null)]
  const owner = { tenant_id: 'a', deployment_id: 'web-of-a' }
  const { cut, moved } = reassign(spans, owner, hour(6))
  assert.deepEqual(moved, ['3'])
  assert.equal(cut?.id, '2')
  assert.deepEqual([cut?.ends_at, cut?.rest.starts_at, cut?.rest.ends_at], [hour(6), hour(6), hour(8)])
  assert.equal(cut?.rest.deployment_id, 'web-of-a')
})

test('reassigning at the start of a span moves it whole', () => {
  const spans = [span('1', 0, 4, null), span('2', 4, null, null)]
  assert.deepEqual(reassign(spans, { tenant_id: 'a', deployment_id: 'web-of-a' }, hour(4)), {
    cut: null,
    moved: ['2'],
    lost: [],
  })
})

const NOTHING = { born: [], gone: [], adopted: [], dropped: [], closed: [], opened: [] }

function quiet({ born, gone, adopted, dropped, closed, opened }: Changes) {
  return { born, gone, adopted, dropped, closed, opened }
}

function listed(of: { external_id: string; name: string; size_gb: string; tags: string[] }): ListedResource {
  return { ...of, size: 'small', region: null, project: null, born_at: BORN }
}

function inventory(resources: readonly ListedResource[], seen_at: Temporal.Instant): Inventory {
  return { provider: 'digitalocean', kinds: [{ kind: 'droplet', resources }], seen_at }
}

type Stored = { state: ResourceState; gone_at: Temporal.Instant | null; assigned: Owner | null; spans: Span[] }

/** What the tables would hold. */
function emptyStore() {
  let last_id = 0
  const resources = new Map<string, Stored>()
  const decide = (of: Inventory) => {
    const ids = new Set(of.kinds.flatMap((kind) => kind.resources.map(({ external_id }) => external_id)))
    const stored = [...resources.values()].filter(
      ({ gone_at, state }) => gone_at === null || ids.has(state.external_id),
    )
    return reconcile(of, { known: stored.map(known), owners: OWNERS }, () => String((last_id += 1)))
  }
  return {
    resources,
    decide,
    record: (of: Inventory) => {
      const changes = decide(of)
      for (const state of changes.born) resources.set(state.id, { state, gone_at: null, assigned: null, spans: [] })
      for (const { id } of changes.seen) stored(resources, id).gone_at = null
      for (const { id, gone_at } of changes.gone) stored(resources, id).gone_at = gone_at
      for (const { resource_id, ...owner } of changes.adopted) {
        const resource = stored(resources, resource_id)
        resource.spans = resource.spans.map((one) => Object.assign({}, one, owner))
      }
      for (const resource of resources.values()) {
        const ends = new Map(changes.closed.map(({ id, ends_at }) => [id, ends_at]))
        resource.spans = resource.spans
          .filter(({ id }) => !changes.dropped.includes(id))
          .map((one) => Object.assign({}, one, { ends_at: ends.get(one.id) ?? one.ends_at }))
      }
      for (const { resource_id, ...opened } of changes.opened) {
        stored(resources, resource_id).spans.push({ ...opened, ends_at: null })
      }
    },
  }
}

function stored(resources: Map<string, Stored>, id: string): Stored {
  const resource = resources.get(id)
  assert.ok(resource)
  return resource
}

function known({ state, assigned, spans }: Stored): KnownResource {
  return {
    ...state,
    assigned,
    was_ever_assigned: spans.some(({ deployment_id }) => deployment_id !== null),
    open_span: spans.find(({ ends_at }) => ends_at === null) ?? null,
  }
}

function assertSound({ state, gone_at, spans }: Stored): void {
  const ordered = spans.toSorted((a, b) => Temporal.Instant.compare(a.starts_at, b.starts_at))
  assert.equal(spans.filter(({ ends_at }) => ends_at === null).length, gone_at === null ? 1 : 0)
  for (const [index, { starts_at, ends_at }] of ordered.entries()) {
    assert.ok(Temporal.Instant.compare(starts_at, state.born_at) >= 0)
    const limit = ordered[index + 1]?.starts_at ?? gone_at
    if (ends_at !== null) assert.ok(Temporal.Instant.compare(starts_at, ends_at) < 0)
    if (limit !== null) assert.ok(ends_at !== null && Temporal.Instant.compare(ends_at, limit) <= 0)
  }
}

function span(id: string, from: number, to: number | null, deployment_id: string | null): Span {
  const ends_at = to === null ? null : hour(to)
  return {
    id,
    starts_at: hour(from),
    ends_at,
    name: 'web',
    size: 'small',
    size_gb: '0',
    tenant_id: null,
    deployment_id,
  }
}

function hour(hours: number): Temporal.Instant {
  return BORN.add({ hours })
}
