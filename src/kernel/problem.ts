import { invariant } from './invariant.ts'

/** One fault in the caller's input: where it is and what was expected. */
export type Fault = { path: string; message: string } | { row: number; column: string; message: string }

/**
 * A refusal: something the caller can understand and mend. Sent as `application/problem+json` (RFC 9457).
 * Bugs are never Problems.
 */
export class Problem extends Error {
  override name = 'Problem'
  readonly kind: ProblemKind
  readonly errors: readonly Fault[]
  readonly members: Readonly<Record<string, unknown>>

  constructor(
    kind: ProblemKind,
    detail: string,
    errors: readonly Fault[] = [],
    members: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail)
    this.kind = kind
    this.errors = errors
    this.members = members
  }

  get code(): string {
    return this.kind.code
  }

  get status(): number {
    return this.kind.status
  }

  toJSON(): { type: string; title: string; status: number; detail: string; code: string; errors?: readonly Fault[] } {
    return {
      type: `urn:arcadia:problem:${this.code}`,
      title: this.kind.title,
      status: this.status,
      detail: this.message,
      code: this.code,
      ...this.members,
      ...(this.errors.length > 0 && { errors: this.errors }),
    }
  }
}

export type ProblemKind = {
  readonly code: string
  readonly status: number
  readonly title: string
  /** When the same call may succeed. */
  readonly retry_after_s?: number
}
/** `members` are further fields of the answer, for programs to read. */
export type ProblemFactory = ((
  detail: string,
  errors?: readonly Fault[],
  members?: Readonly<Record<string, unknown>>,
) => Problem) & { readonly kind: ProblemKind }

const kinds = new Map<string, ProblemKind>()
const byConstraint = new Map<string, ProblemFactory>()

/**
 * Declares one entry of the closed list of refusals. `constraints` names the database constraints that refuse the
 * same thing, so that a race gets the answer that the check would have given.
 */
export function problem(options: {
  code: string
  status: number
  title: string
  retry_after_s?: number
  constraints?: readonly string[]
}): ProblemFactory {
  const { constraints = [], ...kind } = options
  invariant(!kinds.has(kind.code), `problem ${kind.code} is declared twice`)
  kinds.set(kind.code, kind)
  const make = Object.assign(
    (detail: string, errors?: readonly Fault[], members?: Readonly<Record<string, unknown>>) =>
      new Problem(kind, detail, errors, members),
    { kind },
  )
  for (const name of constraints) {
    invariant(!byConstraint.has(name), `constraint ${name} is claimed by two problems`)
    byConstraint.set(name, make)
  }
  return make
}

/** The refusal that a violated constraint stands for, if a context has claimed it. */
export function problemOfConstraint(name: string): ProblemFactory | undefined {
  return byConstraint.get(name)
}

export function listProblems(): ProblemKind[] {
  return [...kinds.values()].toSorted((a, b) => a.code.localeCompare(b.code))
}

// Refusals that belong to no context.
export const invalidInput = problem({ code: 'request/invalid', status: 422, title: 'The request is not valid' })
export const notFound = problem({ code: 'request/not-found', status: 404, title: 'Not found' })
