import type { OutboundError } from '../../platform/outbound.ts'

/** Together with the pauses between them, some three days. */
const ATTEMPTS_MAX = 20
const FIRST_PAUSE_MINUTES = 1
const LONGEST_PAUSE_MINUTES = 6 * 60
/** These say that the service or its secret is not in place yet, or that it is busy: nothing about the document. */
const NO_REFUSALS = new Set([401, 403, 404, 408, 429])

/** What becomes of a push whose attempt number `attempts` failed: another attempt at a time, or none. */
export function afterFailure(error: OutboundError, attempts: number, now: Temporal.Instant): Temporal.Instant | null {
  if (isRefusal(error) || attempts >= ATTEMPTS_MAX) return null
  const minutes = Math.min(FIRST_PAUSE_MINUTES * 2 ** (attempts - 1), LONGEST_PAUSE_MINUTES)
  return now.add({ minutes })
}

/** The service cannot be reached, so other documents would only wait for the same time-out. */
export function isUnreachable(error: OutboundError): boolean {
  return error.reason === 'timeout' || error.reason === 'network'
}

/** Sending the same again would be refused again. */
function isRefusal({ reason, status }: OutboundError): boolean {
  if (reason !== 'http' || status === null) return false
  return status >= 400 && status < 500 && !NO_REFUSALS.has(status)
}
