import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Arbitrary,
  array,
  assert as check,
  boolean,
  constantFrom,
  option,
  property,
  record,
  uniqueArray,
} from 'fast-check'
import { type Changes, identityOf, type KnownResource, reconcile, type ResourceState } from './reconcile.ts'
import { type Inventory, type ListedResource, type Owner, ownerByTags, reassign, type Span } from './resource.ts'

/** A provider that does not tell the project. */
const UNTOLD = 'untold'
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
        kind: constantFrom('droplet', 'kubernetes_node', 'snapshot'),
        external_id: constantFrom('1', '2', '3'),
        name: constantFrom('web', 'db'),
        size_gb: constantFrom('10', '20'),
        project: constantFrom(null, 'boab', UNTOLD),
        price_monthly: constantFrom(null, '6'),
        tags: constantFrom<string[]>([], ['blue', 'arcadia:a:web'], ['arcadia:b:web'], ['arcadia:unknown:x']),
        has_birthday: boolean(),
      }),
      { selector: ({ kind, external_id }) => `${identityOf(kind)} ${external_id}` },
    ),
    /** Kinds that could not be listed this time. */
    is_partial: boolean(),
    is_at_once: boolean(),
    assigned: option(constantFrom(...OWNERS.values())),
  }),
  { minLength: 1, maxLength: 8 },
)
type Step = typeof listings extends Arbitrary<(infer One)[]> ? One : never
type Sample = Step['resources'][number]

test('whatever is listed: spans never overlap, lie within the life, and are open exactly while alive', () => {
  check(
    property(listings, (steps) => {
      const store = emptyStore()
      let seen_at = BORN
      for (const { resources, is_partial, is_at_once, assigned } of steps) {
        if (!is_at_once) seen_at = seen_at.add({ hours: 1 })
        if (assigned) for (const stored of store.resources.values()) stored.assigned ??= assigned
        store.record(inventory(resources, seen_at, { is_partial }))
        for (const stored of store.resources.values()) assertSound(stored)
      }
    }),
  )
})

test('whatever is listed: it is alive once, as it was listed, and what was once stored stays', () => {
  check(
    property(listings, (steps) => {
      const store = emptyStore()
      for (const [index, { resources }] of steps.entries()) {
        const before = [...store.resources.keys()]
        store.record(inventory(resources, hour(index + 1)))
        assert.ok(before.every((id) => store.resources.has(id)))
        const alive = [...store.resources.values()].filter(({ gone_at }) => gone_at === null)
        assert.deepEqual(alive.map(lastKnown).toSorted(), resources.map(asListed).toSorted())
      }
    }),
  )
})

test('kinds that are not listed stay as they are', () => {
  check(
    property(listings, (steps) => {
      const store = emptyStore()
      for (const [index, { resources }] of steps.entries()) {
        const snapshots = () => textOf([...store.resources.values()].filter(isSnapshot))
        const before = snapshots()
        store.record(inventory(resources, hour(index + 1), { is_partial: true }))
        assert.equal(snapshots(), before)
        store.record(inventory(resources, hour(index + 1).add({ minutes: 1 })))
      }
    }),
  )
})

test('the order of a listing is irrelevant', () => {
  check(
    property(listings, (steps) => {
      const [store, mirrored] = [emptyStore(), emptyStore()]
      for (const [index, { resources }] of steps.entries()) {
        const { kinds, ...listing } = inventory(resources, hour(index + 1))
        const reversed = kinds.map(({ kind, resources: listed }) => ({
          kind,
          resources: listed.map((one) => Object.assign({}, one, { tags: one.tags.toReversed() })).toReversed(),
        }))
        store.record({ ...listing, kinds })
        mirrored.record({ ...listing, kinds: reversed.toReversed() })
      }
      assert.deepEqual(mirrored.history(), store.history())
    }),
  )
})

test('the same listing again changes nothing', () => {
  check(
    property(listings, (steps) => {
      const store = emptyStore()
      for (const [hours, { resources }] of steps.entries()) {
        const at = hour(hours + 1)
        store.record(inventory(resources, at))
        assert.deepEqual(quiet(store.decide(inventory(resources, at.add({ minutes: 1 })))), NOTHING)
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

/** In groups by kind, as a sync gives it; a partial one leaves the snapshots out. */
function inventory(resources: readonly Sample[], seen_at: Temporal.Instant, { is_partial = false } = {}): Inventory {
  const kinds = (['droplet', 'kubernetes_node', 'snapshot'] as const).filter(
    (kind) => !(is_partial && kind === 'snapshot'),
  )
  return {
    provider: 'digitalocean',
    kinds: kinds.map((kind) => ({ kind, resources: resources.filter((one) => one.kind === kind).map(listed) })),
    seen_at,
  }
}

function listed({ kind: _kind, has_birthday, project, ...sample }: Sample): ListedResource {
  return {
    ...sample,
    size: 'small',
    region: null,
    parent: null,
    born_at: has_birthday ? BORN : null,
    ...(project !== UNTOLD && { project }),
  }
}

function asListed({ kind, external_id, name, size_gb, price_monthly, tags }: Sample): string {
  return JSON.stringify([kind, external_id, name, size_gb, price_monthly, tags.toSorted()])
}

function lastKnown({ state, spans }: Stored): string {
  const open = spans.find(({ ends_at }) => ends_at === null)
  assert.equal(open?.project, state.project)
  return JSON.stringify([state.kind, state.external_id, open?.name, open?.size_gb, open?.price_monthly, open?.tags])
}

function isSnapshot({ state }: Stored): boolean {
  return state.kind === 'snapshot'
}

function textOf(stored: readonly Stored[]): string {
  return JSON.stringify(stored)
}

type Stored = { state: ResourceState; gone_at: Temporal.Instant | null; assigned: Owner | null; spans: Span[] }

/** What the tables would hold. */
function emptyStore() {
  let last_id = 0
  const resources = new Map<string, Stored>()
  const decide = (of: Inventory) => {
    const kinds = new Set(of.kinds.map(({ kind }) => kind))
    const keys = new Set(
      of.kinds.flatMap(({ kind, resources: listed }) => listed.map((one) => `${identityOf(kind)} ${one.external_id}`)),
    )
    const stored = [...resources.values()].filter(
      ({ gone_at, state: { kind, external_id } }) =>
        kinds.has(kind) && (gone_at === null || keys.has(`${identityOf(kind)} ${external_id}`)),
    )
    return reconcile(of, { known: stored.map(known), owners: OWNERS }, () => String((last_id += 1)))
  }
  return {
    resources,
    decide,
    /** All that is stored, but for the ids that were made up on the way. */
    history: () =>
      [...resources.values()]
        .map(({ state: { id: _id, ...state }, gone_at, spans }) =>
          JSON.stringify({ state, gone_at, spans: spans.map(({ id: _span, ...one }) => one) }),
        )
        .toSorted(),
    record: (of: Inventory) => {
      const changes = decide(of)
      for (const state of changes.born) resources.set(state.id, { state, gone_at: null, assigned: null, spans: [] })
      for (const state of changes.seen) {
        const resource = stored(resources, state.id)
        Object.assign(resource, { gone_at: null, state: { ...state, born_at: resource.state.born_at } })
      }
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
    project: null,
    tags: [],
    price_monthly: null,
    tenant_id: null,
    deployment_id,
  }
}

function hour(hours: number): Temporal.Instant {
  return BORN.add({ hours })
}
