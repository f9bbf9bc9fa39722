import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { memoryDatabase } from '../support/database.ts'
import { type Books, openBooks } from './books.ts'

const FORGED = [['x'], ['x', 'y'], ['x', '9'.repeat(20)], ['0000-00-00', 'y']]

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000'

let books: Books
before(async () => {
  books = await openBooks(await memoryDatabase(), '2026-05-02T06:00:00Z')
})
after(() => books.close())

test('a cursor that no page gave out is refused by every list, or starts after some text', async () => {
  const lists = await pathsWith('cursor')
  assert.ok(lists.length > 10)
  for (const path of lists) {
    for (const key of FORGED) {
      const cursor = Buffer.from(JSON.stringify(key)).toString('base64url')
      const { status } = await books.call('GET', `${path}?cursor=${cursor}`)
      assert.ok(status === 200 || status === 422, `${path} ${JSON.stringify(key)}: ${status}`)
    }
  }
})

test('a period in the year 0 is refused wherever a period is asked for', async () => {
  const paths = await pathsWith('period')
  assert.ok(paths.length > 3)
  for (const path of paths) {
    assert.equal((await books.call('GET', `${path}?period=0000-01`)).status, 422, path)
  }
})

test('a field that is not known is refused and named, in every body', async () => {
  const posts = (await routes()).filter(({ method, path }) => method === 'POST' && !path.endsWith('/import'))
  assert.ok(posts.length > 25)
  for (const { method, path } of posts) {
    const { status, text } = await books.call(method, path, { body: { surplus: 1 } })
    assert.equal(status, 422, `${path}: ${text}`)
    assert.match(text, /surplus/, path)
  }
})

test('a field that is not known is refused in every query, whatever the method, and named', async () => {
  const named = new Set<string>()
  for (const { method, path } of await routes()) {
    const { status, text, body } = await books.call(method, `${path}?surplus=1`)
    assert.equal(status, 422, `${method} ${path}: ${text}`)
    // Where a body is lacking too, that is named first.
    if (body.detail === 'The body is not valid.') continue
    assert.match(text, /surplus/, `${method} ${path}`)
    named.add(method)
  }
  assert.deepEqual(named, new Set(['GET', 'POST', 'DELETE']))
})

test('a POST that says all in its path needs no body, and takes an empty one', async () => {
  for (const body of [undefined, {}]) {
    assert.equal((await books.call('POST', '/billing/sync', body && { body })).status, 202)
    assert.equal((await books.call('POST', `/invoices/${UNKNOWN_ID}/void`, body && { body })).status, 404)
  }
})

test('each role may call what docs/access.md says, and nothing else', async () => {
  const text = readFileSync(new URL('../../docs/access.md', import.meta.url), 'utf8')
  const { paths } = (await books.call('GET', '/api/../openapi.json')).body
  for (const [role, as] of Object.entries({
    tenant: { tenant: 'acme' },
    gateway: 'gateway',
    meter: 'meter',
  } as const)) {
    const rows = [...text.matchAll(/^\| `(\w+)` +\| (`[A-Z]+ \/.*?) \|/gm)].filter(([, of]) => of === role)
    const named = rows.flatMap(([, , calls = '']) => [...calls.matchAll(/`([A-Z]+ [^`]+)`/g)].map(([, call]) => call))
    const allowed: string[] = []
    for (const [template, operations] of Object.entries<object>(paths)) {
      for (const method of METHODS.filter((known) => known.toLowerCase() in operations)) {
        const { status } = await books.call(method, template.replaceAll(/\{\w+\}/g, UNKNOWN_ID), { as })
        if (status !== 403) allowed.push(`${method} ${template.replace('/api/v1', '').replaceAll(/\{(\w+)\}/g, ':$1')}`)
      }
    }
    assert.deepEqual(named.toSorted(), allowed.toSorted(), role)
  }
})

type Route = { method: (typeof METHODS)[number]; path: string }

/** Every route, with ids and numbers that nothing has. */
async function routes(): Promise<Route[]> {
  const { paths } = (await books.call('GET', '/api/../openapi.json')).body
  return Object.entries<object>(paths).flatMap(([template, operations]) => {
    const path = template
      .replaceAll('{version}', '1')
      .replaceAll('{period}', '2026-04')
      .replace(/\{[a-z_]+\}/g, UNKNOWN_ID)
    return METHODS.filter((method) => method.toLowerCase() in operations).map((method) => ({ method, path }))
  })
}

/** The paths without an id whose query has a field of that name. */
async function pathsWith(field: string): Promise<string[]> {
  const { paths } = (await books.call('GET', '/api/../openapi.json')).body
  return Object.entries<any>(paths)
    .filter(([, { get }]) => get?.parameters?.some((parameter: { name: string }) => parameter.name === field))
    .map(([path]) => path)
    .filter((path) => !path.includes('{'))
}
