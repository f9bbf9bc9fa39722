import { problem } from '../../kernel/problem.ts'
import { OutboundError } from '../../platform/outbound.ts'

const refusedToken = problem({
  code: 'provider/refused-token',
  status: 502,
  title: 'The provider refused the token',
})
const unavailable = problem({ code: 'provider/unavailable', status: 503, title: 'The provider did not answer' })
const unreadable = problem({
  code: 'provider/unreadable-answer',
  status: 502,
  title: 'The provider answered something else',
})

const notConfigured = problem({ code: 'provider/not-configured', status: 409, title: 'No provider is configured' })

const UNAUTHORIZED = 401
const FORBIDDEN = 403

/** The provider, or the refusal that says how to configure one. */
export function requireProvider<P>(provider: P | null): P {
  if (provider !== null) return provider
  throw notConfigured('Set DIGITALOCEAN_TOKEN to a token that may read billing and resources, and start again.')
}

/** Runs calls to a provider; a failure comes out as a Problem that says what to do. Bugs stay what they are. */
export async function askProvider<T>(calls: () => Promise<T>): Promise<T> {
  try {
    return await calls()
  } catch (error) {
    throw error instanceof OutboundError ? explain(error) : error
  }
}

function explain(error: OutboundError): Error {
  if (error.status === UNAUTHORIZED || error.status === FORBIDDEN) {
    return refusedToken(
      `${error.message}. Set DIGITALOCEAN_TOKEN to a valid token with the scopes billing:read, tag:read and the read scope of each kind of resource; GET /resources/listings names those that are missing.`,
    )
  }
  const tried = 'Nothing was stored; the next run tries again.'
  return error.reason === 'invalid_response'
    ? unreadable(`${error.message}. ${tried}`)
    : unavailable(`${error.message}. ${tried}`)
}
