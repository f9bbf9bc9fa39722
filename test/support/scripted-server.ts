import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export type Answer = (response: ServerResponse) => void
export type Received = { method: string; url: string; headers: IncomingMessage['headers']; body: string }

/** An outside system on this machine that says what a test tells it to, and remembers what it was asked. */
export type ScriptedServer = {
  readonly base_url: string
  /** Given in order; the last one is repeated. */
  answers: Answer[]
  received: Received[]
  close(): void
}

export async function startScriptedServer(): Promise<ScriptedServer> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { answers } = scripted
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      const { method = '', url = '', headers } = request
      scripted.received.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
      answer?.(response)
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const scripted: ScriptedServer = {
    base_url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    answers: [],
    received: [],
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
  return scripted
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
