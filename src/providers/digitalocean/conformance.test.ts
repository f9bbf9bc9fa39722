import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'

import { createDigitalOcean } from './index.ts'

/**
 * Holds the client against the provider's own OpenAPI document, served by Prism with the document's examples. Neither
 * is part of this project: without them the test is skipped and says what is missing.
 */
const DOCUMENT = fileURLToPath(new URL('../../../../shared/data/digitalocean/openapi-subset.json', import.meta.url))
const START_ATTEMPTS = 120
const START_PAUSE_MS = 250

const prism = prismCommand()
const missing = whatIsMissing()

test(
  "every method reads the examples of the provider's own API document",
  missing ? { skip: missing } : {},
  async (t) => {
    const port = await freePort()
    const [command, ...args] = prism
    const server = spawn(command, [...args, 'mock', '--port', String(port), DOCUMENT], {
      stdio: 'ignore',
      detached: true,
    })
    t.after(() => stop(server))
    const mock = `http://127.0.0.1:${port}`
    await untilReady(mock)

    const digitalOcean = createDigitalOcean({
      token: 'dop_v1_example',
      fetch: (input, init) => viaMock(mock, input, init),
    })
    assert.equal((await digitalOcean.balance()).month_to_date_balance, '23.44')
    assert.ok((await digitalOcean.billingHistory()).some((entry) => entry.type === 'Payment'))
    const { invoices, preview } = await digitalOcean.invoices()
    assert.ok(preview?.updated_at)
    const uuid = invoices[0]?.invoice_uuid ?? ''
    assert.equal((await digitalOcean.invoiceItems(uuid))[0]?.group_description, 'my-doks-cluster')
    assert.match(await digitalOcean.invoiceCsv(uuid), /^product,group_description/)
    assert.equal((await digitalOcean.invoiceSummary(uuid)).amount, '27.13')
    const { kinds, not_listed } = await digitalOcean.inventory()
    assert.deepEqual(not_listed, [])
    // The workers of the document's cluster are not among its droplets.
    assert.deepEqual(
      kinds.filter(({ resources }) => resources.length === 0).map(({ kind }) => kind),
      ['kubernetes_node'],
    )
  },
)

function prismCommand(): [string, ...string[]] {
  const path = process.env['ARCADIA_PRISM']
  return path ? [path] : ['npx', '--no-install', 'prism']
}

function whatIsMissing(): string | undefined {
  if (!existsSync(DOCUMENT)) return "the provider's API document is not beside this project"
  const [command, ...args] = prism
  const { status } = spawnSync(command, [...args, '--version'], { stdio: 'ignore' })
  return status === 0 ? undefined : 'prism cannot be run: name its program in ARCADIA_PRISM'
}

/** Static examples name a next page for ever, so the second page is taken for the last. */
async function viaMock(mock: string, ...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const request = new Request(input, init)
  const { pathname, search, searchParams } = new URL(request.url)
  const get = async (path: string) => fetch(`${mock}${path}`, { headers: request.headers })
  const beside = BESIDE_THE_DOCUMENT[pathname]
  if (beside) return Response.json(await beside(async (path) => (await get(path)).json() as Promise<Examples>))
  const response = await get(`${pathname}${search}`)
  if (Number(searchParams.get('page') ?? '1') < 2) return response
  return Response.json(Object.assign({}, await response.json(), { links: {} }))
}

type Examples = { droplets: { image: object }[]; registry: { subscription: object } }
type Example = (path: string) => Promise<Examples>

/** Lists that the document leaves out, made of what it describes elsewhere; what it describes nowhere is empty. */
const BESIDE_THE_DOCUMENT: Record<string, (example: Example) => Promise<unknown>> = {
  '/v2/reserved_ipv6': async () => ({ reserved_ipv6s: [] }),
  '/v2/images': async (example) => {
    const { droplets } = await example('/v2/droplets')
    return { images: droplets.map(({ image }) => ({ ...image, type: 'backup' })) }
  },
  '/v2/apps/tiers/instance_sizes': async () => ({ instance_sizes: [] }),
  '/v2/registries': async (example) => ({ registries: [(await example('/v2/registry')).registry] }),
  '/v2/registry/subscription': async (example) => (await example('/v2/registry')).registry,
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  await new Promise((resolve) => server.close(resolve))
  return address.port
}

async function untilReady(mock: string): Promise<void> {
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    const answered = await fetch(mock).then(
      () => true,
      () => false,
    )
    if (answered) return
    await sleep(START_PAUSE_MS)
  }
  assert.fail('prism did not start')
}

/** Its whole group: npx puts processes of its own in front of the server. */
function stop(server: ChildProcess): void {
  if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid)
}
