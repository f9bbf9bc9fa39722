import fastifyMultipart from '@fastify/multipart'
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream, rmSync } from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { App, Request } from './http.ts'

/** A file that came over the network, whole, on this machine's disk until the answer is sent. */
export type SpooledFile = {
  /** As the sender calls it. */
  readonly name: string | undefined
  /** From its beginning, as often as it is asked for. */
  readonly open: () => AsyncIterable<Uint8Array>
}

type Limits = { readonly file_max_bytes: number; readonly files_max: number }

/**
 * In this scope a body is one of these kinds of file, or a form with files, and is kept on disk: the memory stays small,
 * and no transaction waits for a sender. Gives what a route calls for its files, in their order; none where there is no
 * body. How far they are read is the progress of the call.
 */
export function spoolFiles(
  app: App,
  types: readonly string[],
  { file_max_bytes, files_max }: Limits,
): (request: Request) => Promise<SpooledFile[]> {
  app.addHook('onReady', sweepSpools)
  app.removeContentTypeParser('application/json')
  void app.register(fastifyMultipart)
  app.addContentTypeParser([...types], async (request: Request, payload: AsyncIterable<Uint8Array>) => {
    const path = await newPath()
    // What the reader of forms calls its files: it removes them when the answer is sent, or the connection lost.
    request.tmpUploads = [path]
    return new SpooledBody(path, await writeFile(path, payload, file_max_bytes))
  })
  return async (request) => {
    if (request.body instanceof SpooledBody) return filesAt(request, [{ path: request.body.path, name: undefined }])
    if (!request.isMultipart()) return []
    const { files } = await readForm(request, { fileSize: file_max_bytes, files: files_max })
    return filesAt(
      request,
      files.map(({ filepath, filename }) => ({ path: filepath, name: filename })),
    )
  }
}

async function readForm(request: Request, limits: { fileSize: number; files: number }) {
  try {
    return await request.saveRequestFiles({ limits, tmpdir: await ownSpool() })
  } catch (error) {
    // What the reader of forms says of a form that is none has neither; a disk that is full has a code.
    if (!(error instanceof Error) || 'code' in error || 'statusCode' in error) throw error
    throw refusal(400, 'The form cannot be read: it is cut off, or is not divided by the boundary of its Content-Type.')
  }
}

/** What comes over a pipe, kept on disk until it is removed. */
export async function spoolStream(
  stream: AsyncIterable<Uint8Array>,
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await newPath()
  await writeFile(path, stream, Number.MAX_SAFE_INTEGER)
  return { path, remove: () => rm(path, { force: true }) }
}

async function newPath(): Promise<string> {
  return join(await ownSpool(), randomUUID())
}

const SPOOL_PREFIX = 'arcadia-spool-'
/** The process's own, so that what it leaves behind when it is killed can be told from what others are at. */
const OWN_SPOOL = join(tmpdir(), `${SPOOL_PREFIX}${process.pid}-${randomUUID()}`)
let is_removed_at_exit = false

/** A folder that only this user can read: a bill is nobody else's business. */
async function ownSpool(): Promise<string> {
  await mkdir(OWN_SPOOL, { recursive: true, mode: 0o700 })
  if (!is_removed_at_exit) process.on('exit', () => rmSync(OWN_SPOOL, { recursive: true, force: true }))
  is_removed_at_exit = true
  return OWN_SPOOL
}

/** Removes what processes left that were killed. */
async function sweepSpools(): Promise<void> {
  const spools = (await readdir(tmpdir())).filter((name) => name.startsWith(SPOOL_PREFIX))
  const left = spools.filter((name) => name !== basename(OWN_SPOOL) && !isAlive(pidOf(name)))
  await Promise.all(left.map((name) => rm(join(tmpdir(), name), { recursive: true, force: true })))
}

function pidOf(name: string): number {
  return Number.parseInt(name.slice(SPOOL_PREFIX.length), 10)
}

/** A process of another user is alive too. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}

/** Compared by its content where requests are compared. */
class SpooledBody {
  readonly path: string
  readonly sha256: string
  constructor(path: string, sha256: string) {
    this.path = path
    this.sha256 = sha256
  }
  toJSON(): string {
    return this.sha256
  }
}

/** So much of a file is read at a time. */
const READ_CHUNK_BYTES = 256 * 1024

type Place = { readonly path: string; readonly name: string | undefined }

async function filesAt(request: Request, places: readonly Place[]): Promise<SpooledFile[]> {
  const sizes = await Promise.all(places.map(async ({ path }) => (await stat(path)).size))
  const total_bytes = sizes.reduce((total, size) => total + size, 0)
  const read_bytes = places.map(() => 0)
  return places.map(({ path, name }, index) => ({
    name,
    async *open() {
      // A transaction that is tried again reads from the beginning.
      read_bytes[index] = 0
      for await (const chunk of createReadStream(path, { highWaterMark: READ_CHUNK_BYTES })) {
        yield chunk
        read_bytes[index] = (read_bytes[index] ?? 0) + chunk.length
        const done_bytes = read_bytes.reduce((total, bytes) => total + bytes, 0)
        request.progress(done_bytes, total_bytes)
      }
    },
  }))
}

async function writeFile(path: string, payload: AsyncIterable<Uint8Array>, max_bytes: number): Promise<string> {
  const hash = createHash('sha256')
  let size_bytes = 0
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      size_bytes += chunk.length
      if (size_bytes > max_bytes) throw refusal(413, `A file may have at most ${max_bytes} bytes.`)
      hash.update(chunk)
      yield chunk
    }
  }
  try {
    await pipeline(payload, counted, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
    return hash.digest('hex')
  } catch (error) {
    await rm(path, { force: true })
    throw isCut(error) ? refusal(400, 'The body ended before it was whole.') : error
  }
}

function refusal(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode })
}

function isCut(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE')
  )
}
