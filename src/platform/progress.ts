import { Type } from 'typebox'
import type { App } from './http.ts'
import { Data, found, TextOf } from './wire.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Says how far a long call is, for whoever waits for its answer. */
    progress(done: number, total: number): void
  }
}

type Progress = { done: number; total: number }

/**
 * How far the calls are that this process is working on, by the request ids that their callers gave them: what a bar
 * shows while its call is under way. Nothing is kept of a call that has ended.
 */
export function serveProgress(app: App): void {
  const calls = new Map<string, Progress>()
  app.decorateRequest('progress', function (done: number, total: number) {
    const call = calls.get(this.id)
    if (call !== undefined) Object.assign(call, { done, total })
  })
  app.addHook('onRequest', async (request, reply) => {
    calls.set(request.id, { done: 0, total: 0 })
    reply.raw.once('close', () => calls.delete(request.id))
  })
  app.get(
    '/api/v1/progress/:request_id',
    {
      config: { access: ['platform_admin'] },
      schema: {
        tags: ['operations'],
        summary:
          'How far a call is that is under way in this process, by its x-request-id; a total of 0 is not known yet',
        params: Type.Object({ request_id: TextOf() }),
        response: { 200: Data(Type.Object({ done: Type.Integer(), total: Type.Integer() })) },
      },
    },
    async ({ params }) => ({ data: found(calls.get(params.request_id), 'call under way') }),
  )
}
