import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { memoryDatabase } from '../support/database.ts'
import { type Books, openBooks } from './books.ts'

const FORGED = [['x'], ['x', 'y'], ['x', '9'.repeat(20)], ['0000-00-00', 'y']]

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

test('a field that is not known is refused and named, in every body and every query', async () => {
  const { paths } = (await books.call('GET', '/api/../openapi.json')).body
  const refusals = Object.entries<any>(paths).flatMap(([template, { get, post }]) => {
    const path = template
      .replaceAll('{version}', '1')
      .replaceAll('{period}', '2026-04')
      .replace(/\{[a-z_]+\}/g, UNKNOWN_ID)
    const asked = get?.parameters?.some((parameter: { in: string }) => parameter.in === 'query')
    return [
      ...(asked ? [books.call('GET', `${path}?surplus=1`)] : []),
      ...(post && !path.endsWith('/import') ? [books.call('POST', path, { body: { surplus: 1 } })] : []),
    ].map(async (answer) => ({ path, ...(await answer) }))
  })
  assert.ok(refusals.length > 25)
  for (const { path, status, text } of await Promise.all(refusals)) {
    assert.equal(status, 422, `${path}: ${text}`)
    assert.match(text, /surplus/, path)
  }
})

test('a POST that says all in its path needs no body, and takes an empty one', async () => {
  for (const body of [undefined, {}]) {
    assert.equal((await books.call('POST', '/billing/sync', body && { body })).status, 202)
    assert.equal((await books.call('POST', `/invoices/${UNKNOWN_ID}/void`, body && { body })).status, 404)
  }
})

/** The paths without an id whose query has a field of that name. */
async function pathsWith(field: string): Promise<string[]> {
  const { paths } = (await books.call('GET', '/api/../openapi.json')).body
  return Object.entries<any>(paths)
    .filter(([, { get }]) => get?.parameters?.some((parameter: { name: string }) => parameter.name === field))
    .map(([path]) => path)
    .filter((path) => !path.includes('{'))
}
