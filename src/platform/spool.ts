import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
 * body.
 */
export function spoolFiles(
  app: App,
  types: readonly string[],
  { file_max_bytes, files_max }: Limits,
): (request: Request) => Promise<SpooledFile[]> {
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser([...types], async (request: Request, payload: AsyncIterable<Uint8Array>) => {
    const path = newPath()
    // What the reader of forms calls its files: it removes them when the answer is sent, or the connection lost.
    request.tmpUploads = [path]
    return new SpooledBody(path, await writeFile(path, payload, file_max_bytes))
  })
  return async (request) => {
    if (request.body instanceof SpooledBody) return [fileAt(request.body.path, undefined)]
    if (!request.isMultipart()) return []
    const { files } = await request.saveRequestFiles({ limits: { fileSize: file_max_bytes, files: files_max } })
    return files.map(({ filepath, filename }) => fileAt(filepath, filename))
  }
}

/** What comes over a pipe, kept on disk until it is removed. */
export async function spoolStream(
  stream: AsyncIterable<Uint8Array>,
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = newPath()
  await writeFile(path, stream, Number.MAX_SAFE_INTEGER)
  return { path, remove: () => rm(path, { force: true }) }
}

function newPath(): string {
  return join(tmpdir(), `arcadia-upload-${randomUUID()}`)
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
export const READ_CHUNK_BYTES = 256 * 1024

function fileAt(path: string, name: string | undefined): SpooledFile {
  return { name, open: () => createReadStream(path, { highWaterMark: READ_CHUNK_BYTES }) }
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
