import { present } from '../kernel/invariant.ts'
import type { Fault } from '../kernel/problem.ts'
import { EXPECTED_PATTERNS } from './wire.ts'

/** What the validator says of one keyword of a schema. */
type Rejection = {
  keyword: string
  instancePath: string
  schemaPath: string
  params: Readonly<Record<string, unknown>>
  message?: string
  /** What was found. */
  data?: unknown
  parentSchema?: unknown
}

/**
 * One fault per field, which says what was expected there. Of a field with alternatives only the one that was meant
 * speaks: the validator itself would tell the faults of them all, which contradict each other.
 */
export function faultsOf(rejections: readonly Rejection[]): Fault[] {
  const byPath = Map.groupBy(settleUnions(rejections), pathOf)
  return [...byPath].map(([path, same]) => ({ path, message: messageOf(mostTelling(same)) }))
}

function settleUnions(rejections: readonly Rejection[]): Rejection[] {
  const settled: Rejection[] = []
  for (const rejection of rejections) {
    if (rejection.keyword === 'anyOf') settled.push(...settleUnion(rejection, takeInside(settled, rejection)))
    else settled.push(rejection)
  }
  return settled
}

/** The validator names the faults of all branches right before it says that none of them fits. */
function takeInside(settled: Rejection[], union: Rejection): Rejection[] {
  const first = settled.findLastIndex((one) => !isInside(one, union)) + 1
  return settled.splice(first)
}

function isInside({ schemaPath, instancePath }: Rejection, union: Rejection): boolean {
  const isBelow = instancePath === union.instancePath || instancePath.startsWith(`${union.instancePath}/`)
  return isBelow && schemaPath.startsWith(`${union.schemaPath}/`)
}

/** The faults of the branch that has the value's type and the fields most like it, or else all types that would fit. */
function settleUnion(union: Rejection, inside: readonly Rejection[]): readonly Rejection[] {
  const branches = [...Map.groupBy(inside, ({ schemaPath }) => branchOf(schemaPath, union)).values()]
  const isOfUnion = ({ instancePath }: Rejection): boolean => instancePath === union.instancePath
  const meant = branches.filter((branch) => !branch.some((one) => one.keyword === 'type' && isOfUnion(one)))
  if (meant.length === 0) {
    const types = inside.filter(isOfUnion).flatMap(({ params }) => params['type'] ?? [])
    return [{ ...union, keyword: 'type', params: { type: types } }]
  }
  const missing = meant.flatMap(([one, ...more]) => (more.length === 0 ? (one?.params['missingProperty'] ?? []) : []))
  if (meant.length > 1 && missing.length === meant.length) return [{ ...union, params: { missing } }]
  const strange = (branch: readonly Rejection[]): number =>
    branch.filter((one) => isOfUnion(one) && pathOf(one) !== pathOf(union)).length
  const [closest = inside] = meant.toSorted((a, b) => strange(a) - strange(b) || a.length - b.length)
  return closest
}

function branchOf(schemaPath: string, union: Rejection): string | undefined {
  return schemaPath.slice(union.schemaPath.length + 1).split('/')[0]
}

/** The field that is wrong: one that is missing or unknown is named, although the fault is its object's. */
function pathOf({ instancePath, params }: Rejection): string {
  const name = params['missingProperty'] ?? params['additionalProperty'] ?? params['tag']
  const at = instancePath.replace(/^\//, '')
  return [at, typeof name === 'string' ? name : ''].filter((part) => part !== '').join('/')
}

const TELLING = new Set(['discriminator', 'format'])

function mostTelling(same: readonly Rejection[]): Rejection {
  return present(same.find(({ keyword }) => TELLING.has(keyword)) ?? same[0], 'a group has a fault')
}

const EXPECTED_FORMATS: Readonly<Record<string, string>> = {
  date: 'a date such as 2026-04-01',
  'date-time': 'a time such as 2026-04-01T09:30:00Z',
  uuid: 'an id, which is a UUID',
  text: 'a text without NUL and lone surrogates',
}

function messageOf(rejection: Rejection): string {
  const { keyword, params, message = 'is not valid' } = rejection
  switch (keyword) {
    case 'required':
      return 'is required'
    case 'additionalProperties':
      return 'is not a known field'
    case 'type':
      return `must be ${wordsOf(params['type']).join(' or ')}`
    case 'enum':
      return `must be one of: ${wordsOf(params['allowedValues']).join(', ')}`
    case 'const':
      return `must be ${JSON.stringify(params['allowedValue'])}`
    case 'discriminator':
      return `must be one of: ${tagValues(rejection).join(', ')}`
    case 'format':
      return mustBe(EXPECTED_FORMATS[String(params['format'])]) ?? message
    case 'pattern':
      return mustBe(expectedPattern(rejection)) ?? message
    case 'anyOf':
      return `needs one of: ${wordsOf(params['missing']).join(', ')}`
    default:
      return message
  }
}

function expectedPattern({ params, data }: Rejection): string | undefined {
  const expected = EXPECTED_PATTERNS.get(String(params['pattern']))
  return typeof expected === 'function' ? expected(String(data)) : expected
}

function mustBe(expected: string | undefined): string | undefined {
  return expected === undefined ? undefined : `must be ${expected}`
}

function wordsOf(words: unknown): string[] {
  return [...new Set([words].flat().map(String))]
}

type Tagged = { oneOf?: readonly { properties?: Readonly<Record<string, { const?: unknown }>> }[] }

function tagValues({ params, parentSchema }: Rejection): string[] {
  const tag = String(params['tag'])
  return ((parentSchema as Tagged | undefined)?.oneOf ?? []).map(({ properties }) => String(properties?.[tag]?.const))
}
