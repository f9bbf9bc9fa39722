import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What lies between a program and PostgreSQL, and can fail. */
export type Proxy = {
  /** The same database, through the proxy. */
  readonly url: string
  /** Ends every connection and lets none in, until `letIn`. */
  shutOut(): Promise<void>
  letIn(): Promise<void>
  /** The next connection that has sent `statement` gets no answer to its commit: it ends when the answer comes. */
  swallowCommitAfter(statement: string): void
  close(): Promise<void>
}

export async function startProxy(database_url: string): Promise<Proxy> {
  const target = new URL(database_url)
  const open = new Set<Socket>()
  let awaited: string | undefined
  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) })
    let is_marked = false
    let is_silent = false
    client.on('data', (sent) => {
      const text = sent.toString('latin1')
      if (awaited !== undefined && text.includes(awaited)) {
        is_marked = true
        awaited = undefined
      }
      if (is_marked && text.includes('commit')) is_silent = true
      upstream.write(sent)
    })
    upstream.on('data', (answered) => {
      if (is_silent) client.destroy()
      else client.write(answered)
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        open.delete(socket)
        other.destroy()
      })
    }
  })
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const port = await listen(0)
  const shutOut = async (): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of open) socket.destroy()
    await closed
  }
  return {
    url: Object.assign(new URL(database_url), { hostname: '127.0.0.1', port: String(port) }).toString(),
    shutOut,
    letIn: async () => void (await listen(port)),
    swallowCommitAfter: (statement) => {
      awaited = statement
    },
    close: async () => {
      if (server.listening) await shutOut()
    },
  }
}
