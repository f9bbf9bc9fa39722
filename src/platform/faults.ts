import { plain, readDecimal } from '../kernel/decimal.ts'
import { present } from '../kernel/invariant.ts'
import { KNOWN_SHOWN_MAX, meantBy, quoted } from '../kernel/nearest.ts'
import { isDay } from '../kernel/period.ts'
import type { Fault } from '../kernel/problem.ts'
import { DECIMAL_FORMAT } from './formats.ts'

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
export function faultsOf(rejections: readonly Rejection[], { name = 'field' }: { name?: string } = {}): Fault[] {
  const byPath = Map.groupBy(settleUnions(rejections), pathOf)
  return [...byPath].map(([path, same]) => ({ path, message: messageOf(mostTelling(same), name) }))
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
    return [{ ...union, keyword: 'type' }]
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

/** The words of ours that a schema may have for its refusals, beside those of JSON Schema that tell the rest. */
export type Wording = {
  /** What is expected, in words; with a function, those that what was found calls for. */
  readonly expected?: string | ((found: string) => string)
  /** What people write for it, and what they mean: of a field's name, or of one of a few words. */
  readonly meant?: Readonly<Record<string, string>>
}

/** What JSON Schema bounds, as it ends in the names of the bounds: `minLength`, `minimum`. */
type Bounded = 'Length' | 'Items' | 'Properties' | 'imum'
type Schema = Wording & {
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly uniqueItems?: boolean
} & { readonly [Bound in `${'min' | 'max'}${Bounded}`]?: number }

function messageOf({ keyword, params, parentSchema, data }: Rejection, name: string): string {
  const schema = (parentSchema ?? {}) as Schema
  switch (keyword) {
    case 'required':
      return `is required${formHint(String(params['missingProperty']), schema)}`
    case 'additionalProperties':
      return `is not a known ${name}${knownHint(String(params['additionalProperty']), schema)}`
    case 'discriminator':
      return choiceMessage(params['tagValue'], { ...schema, enum: tagValues(String(params['tag']), schema) })
    case 'enum':
      return choiceMessage(data, schema)
    case 'anyOf':
      return `needs one of: ${[params['missing']].flat().join(', ')}`
    case 'uniqueItems':
      return 'must not name anything twice'
    default:
      return `must be ${expectedOf(schema, data)}${foundHint(schema, data)}`
  }
}

/** What belongs into a field that is missing, where its schema says it in words. */
function formHint(name: string, { properties = {} }: Schema): string {
  const field = properties[name]
  return field === undefined || !isWorded(field) ? '' : `: ${expectedOf(field, undefined)}`
}

function isWorded({ expected, anyOf = [] }: Schema): boolean {
  return expected !== undefined || anyOf.some(isWorded)
}

function knownHint(given: string, schema: Schema): string {
  const { properties = {} } = schema
  const known = Object.keys(properties)
  const word = meaningOf(given, schema) ?? meantBy(given, known)
  if (word !== undefined) {
    const field = Object.hasOwn(properties, word) ? properties[word] : undefined
    return `; did you mean ${word}${field === undefined ? '' : `, ${expectedOf(field, undefined)}`}?`
  }
  if (known.length === 0) return '; none is taken here'
  return known.length <= KNOWN_SHOWN_MAX ? `; known are ${known.join(', ')}` : ''
}

function choiceMessage(found: unknown, schema: Schema): string {
  const words = (schema.enum ?? []).map(String)
  const choice = `must be one of: ${words.join(', ')}`
  if (found === undefined) return choice
  if (typeof found !== 'string') return `${choice}; found ${shown(found)}`
  const meant = meaningOf(found, schema)
  const word = meantBy(found, words)
  if (meant !== undefined) return `${choice}; by ${quoted(found)} is meant ${meant}`
  return `${choice}; found ${quoted(found)}${word === undefined ? '' : `, did you mean ${word}?`}`
}

/** Whatever was given may also be the name of what every object has. */
function meaningOf(given: string, { meant = {} }: Schema): string | undefined {
  return Object.hasOwn(meant, given) ? meant[given] : undefined
}

function tagValues(tag: string, { oneOf = [] }: Schema): unknown[] {
  return oneOf.map(({ properties }) => properties?.[tag]?.const)
}

/** What a schema lets in, in words. */
function expectedOf(schema: Schema, found: unknown): string {
  const { expected, type, anyOf } = schema
  if (typeof expected === 'string') return expected
  if (expected !== undefined) return expected(typeof found === 'string' ? found : '')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return `one of: ${schema.enum.join(', ')}`
  if (anyOf?.some((branch) => branch.type !== undefined || branch.anyOf !== undefined)) {
    return [...new Set(anyOf.map((branch) => expectedOf(branch, found)))].join(', or ')
  }
  if (typeof type === 'object') return type.map((one) => expectedOf({ ...schema, type: one }, found)).join(', or ')
  switch (type) {
    case 'string':
      return schema.format === 'email' ? 'an e-mail address' : `a text${between(schema, 'Length', ' characters')}`
    case 'integer':
      return `a whole number${between(schema, 'imum', '')}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return `a list${between(schema, 'Items', ' entries')}`
    case 'object':
      return `an object${between(schema, 'Properties', ' fields')}${fieldsHint(schema)}`
    case undefined:
      return 'another value'
    default:
      return type
  }
}

/** The fields that an object must have, and else those that it may have. */
function fieldsHint({ properties = {}, required = [] }: Schema): string {
  const fields = required.length > 0 ? required : Object.keys(properties)
  return fields.length > 0 && fields.length <= KNOWN_SHOWN_MAX ? ` with ${fields.join(', ')}` : ''
}

function between(schema: Schema, of: Bounded, unit: string): string {
  const [least, most] = [schema[`min${of}`], schema[`max${of}`]]
  const by = unit === '' ? '' : ' of'
  if (least !== undefined && most !== undefined) return `${by || ' from'} ${least} to ${most}${unit}`
  if (most !== undefined) return `${by} at most ${most}${unit}`
  return least === undefined ? '' : `${by} at least ${least}${unit}`
}

/** What was found, and where it is nearly right, how it is written. */
function foundHint(schema: Schema, found: unknown): string {
  const branches = [schema, ...(schema.anyOf ?? [])]
  if (typeof found === 'string' && found !== '' && branches.some(({ expected }) => typeof expected === 'function'))
    return ''
  const written = branches.map((branch) => writtenHint(branch, found)).find((hint) => hint !== undefined)
  return `; found ${shown(found)}${written === undefined ? '' : `: ${written}`}`
}

function writtenHint({ type, format }: Schema, found: unknown): string | undefined {
  if (format === DECIMAL_FORMAT && typeof found === 'number') return asText(found)
  if (format === DECIMAL_FORMAT && typeof found === 'string' && /^-?[0-9]+,[0-9]+$/.test(found))
    return `write a point, not a comma: "${found.replace(',', '.')}"`
  if ((format === 'date' || format === 'date-time') && typeof found === 'string' && isNoDay(found, format))
    return 'there is no such day'
  if (type === 'integer' && typeof found === 'string' && /^-?[0-9]{1,15}$/.test(found))
    return `write ${found} without quotes`
  return undefined
}

/** JSON writes small and large numbers with an exponent, which texts do not have. */
function asText(found: number): string | undefined {
  const meant = readDecimal(found.toString())
  return meant === undefined ? undefined : `write it as text, "${plain(meant)}"`
}

const DAY = /^((?:19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2})([Tt].*)?$/

/** Whether a date, or the date of a time, is well written and is none. */
export function isNoDay(found: string, format: 'date' | 'date-time'): boolean {
  const [, day, time] = DAY.exec(found) ?? []
  return day !== undefined && (time === undefined) === (format === 'date') && !isDay(day)
}

function shown(found: unknown): string {
  if (found === undefined) return 'nothing'
  if (typeof found === 'string') return quoted(found)
  if (typeof found === 'number') return `the number ${found}`
  if (Array.isArray(found)) return `a list of ${found.length}`
  return found !== null && typeof found === 'object' ? 'an object' : JSON.stringify(found)
}
