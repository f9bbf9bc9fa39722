import { sql } from 'kysely'
import { copyFields, copyText, type Reader } from '../../platform/db.ts'
import type { BillLine } from '../../providers/bill-line.ts'

/** Whose a line is, and why. */
export const MATCH_COLUMNS = [
  'resource_id',
  'tenant_id',
  'deployment_id',
  'match_status',
  'match_method',
  'match_reason',
] as const

/**
 * Looks a line of a provider up; times are milliseconds since 1970. Gives the fields of MATCH_COLUMNS for `copyRow`, as
 * the ladder would decide them; null: the ladder has to look.
 */
export type PlainNames = (
  line: BillLine,
  at: { readonly provider: string; readonly start_ms: number; readonly end_ms: number },
) => readonly string[] | null

/** For bills of a few lines: all of them take the ladder. */
export const NO_PLAIN_NAMES: PlainNames = () => null

/** Names that are in memory at once. Lines of others take the ladder, which is slower and finds the same. */
const MAX_NAMES = 200_000

/**
 * Most lines of a long bill are plain: they carry no id, and name what only one resource of its kind, of one owner all
 * its life, was ever called, at a stretch: itself, or what a backup or snapshot that nobody knows was taken of. What the
 * ladder would find for them by its second and its fourth rung is looked up here, in a tenth of the time. The transaction
 * must have called `prepareLadder`.
 */
export async function loadPlainNames(tx: Reader): Promise<PlainNames> {
  const { rows } = await sql<BorneName>`
    select provider, kind, borne_name, is_plain, resource_id, tenant_id, deployment_id,
      ${milliseconds('lower')} as from_ms, ${milliseconds('upper')} as till_ms
    from pg_temp.bearer where is_plain or kind in ('backup', 'snapshot') limit ${MAX_NAMES}`.execute(tx)
  const providers = new Map<string, Map<string, Map<string, Bearer>>>()
  for (const { provider, kind, borne_name, ...held } of rows) {
    const kinds = providers.get(provider) ?? new Map<string, Map<string, Bearer>>()
    const bearers = kinds.get(kind) ?? new Map<string, Bearer>()
    providers.set(provider, kinds.set(kind, bearers.set(borne_name, bearerOf(held))))
  }
  // Where names were left out, none can be said to be nobody's.
  const isWhole = rows.length < MAX_NAMES
  return (line, { provider, start_ms, end_ms }) => {
    const { kind, resource_name } = line
    if (resource_name === null || isMore(line)) return null
    const name = lowered(resource_name)
    const kinds = providers.get(provider)
    const own = kinds?.get(kind)?.get(name)
    if (own !== undefined) {
      return own.is_plain && bore(own, start_ms, end_ms)
        ? [own.owner, 'kind_and_name', `${kind} named ${copyText(resource_name)}`]
        : null
    }
    const parent_kind = parentKindOf(line)
    if (parent_kind === null || !isWhole) return null
    const parent = kinds?.get(parent_kind)?.get(name)
    return parent?.is_plain === true && bore(parent, start_ms, end_ms)
      ? [parent.owner, 'parent', `belongs to the ${parent_kind} ${copyText(name)}`]
      : null
  }
}

type BorneName = {
  readonly provider: string
  readonly kind: string
  readonly borne_name: string
  readonly is_plain: boolean
  readonly resource_id: string
  /** Null where it is not plain. */
  readonly tenant_id: string | null
  readonly deployment_id: string | null
  /** Null: it always was, or still is, called so. */
  readonly from_ms: bigint | null
  readonly till_ms: bigint | null
}

function milliseconds(bound: 'lower' | 'upper') {
  return sql`floor(extract(epoch from ${sql.raw(bound)}(borne_in)) * 1000)::bigint`
}

type Bearer =
  | {
      readonly is_plain: true
      /** The fields from `resource_id` to `match_status`, made once for all lines. */
      readonly owner: string
      readonly from_ms: number
      readonly till_ms: number
    }
  | { readonly is_plain: false }

const NOT_PLAIN: Bearer = { is_plain: false }

function bearerOf(name: Omit<BorneName, 'provider' | 'kind' | 'borne_name'>): Bearer {
  const { is_plain, resource_id, tenant_id, deployment_id, from_ms, till_ms } = name
  if (!is_plain || tenant_id === null || deployment_id === null) return NOT_PLAIN
  const owner = copyFields([resource_id, copyText(tenant_id), deployment_id, 'matched'])
  return { is_plain, owner, from_ms: Number(from_ms ?? -Infinity), till_ms: Number(till_ms ?? Infinity) }
}

function bore({ from_ms, till_ms }: Extract<Bearer, { is_plain: true }>, start_ms: number, end_ms: number): boolean {
  return from_ms < end_ms && till_ms > start_ms
}

/** What the ladder would look at before the name, or instead of it. */
function isMore({ kind, external_resource_id, external_resource_uuid }: BillLine): boolean {
  return external_resource_id !== null || external_resource_uuid !== null || kind.startsWith('kubernetes')
}

/** What the line's resource was taken of. Null: the ladder has to say, also because a tag comes before it. */
function parentKindOf({ kind, product, extra }: BillLine): string | null {
  if ((kind !== 'backup' && kind !== 'snapshot') || extra?.['Tags'] !== undefined) return null
  return kind === 'snapshot' && VOLUME.test(product) ? 'volume' : 'droplet'
}

const VOLUME = /^volume/i

/** Only these are lower-cased alike by every database. */
const CAPITALS = /[A-Z]+/g
const HAS_CAPITALS = /[A-Z]/

function lowered(name: string): string {
  return HAS_CAPITALS.test(name) ? name.replaceAll(CAPITALS, (capitals) => capitals.toLowerCase()) : name
}
