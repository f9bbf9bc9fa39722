import { sql } from 'kysely'
import type { Reader } from '../../platform/db.ts'
import type { BillLine } from '../../providers/bill-line.ts'

/** Whose a line is, and why, as the ladder would say. */
export type PlainMatch = {
  readonly resource_id: string
  readonly tenant_id: string
  readonly deployment_id: string
  readonly match_reason: string
}

/** Looks a line of a provider up; times are milliseconds since 1970. Null: the ladder has to look. */
export type PlainNames = (
  line: BillLine,
  at: { readonly provider: string; readonly start_ms: number; readonly end_ms: number },
) => PlainMatch | null

/** For bills of a few lines: all of them take the ladder. */
export const NO_PLAIN_NAMES: PlainNames = () => null

/** Names that are in memory at once. Lines of others take the ladder, which is slower and finds the same. */
const MAX_NAMES = 200_000

/**
 * Most lines of a long bill are plain: they carry no id, and name what only one resource of their kind, of one owner all
 * its life, was ever called, at a stretch. What the ladder would find for them by its second rung is looked up here, in a
 * tenth of the time. The transaction must have called `prepareLadder`.
 */
export async function loadPlainNames(tx: Reader): Promise<PlainNames> {
  const { rows } = await sql<PlainName>`
    select provider, kind, borne_name, resource_id, tenant_id, deployment_id, ${milliseconds('lower')} as from_ms,
      ${milliseconds('upper')} as till_ms
    from pg_temp.bearer where is_plain limit ${MAX_NAMES}`.execute(tx)
  const providers = new Map<string, Map<string, Map<string, PlainOwner>>>()
  for (const { provider, kind, borne_name, ...held } of rows) {
    const kinds = providers.get(provider) ?? new Map<string, Map<string, PlainOwner>>()
    const owners = kinds.get(kind) ?? new Map<string, PlainOwner>()
    providers.set(provider, kinds.set(kind, owners.set(borne_name, ownerOf(held))))
  }
  return (line, { provider, start_ms, end_ms }) => {
    const { kind, resource_name } = line
    if (resource_name === null || isMore(line)) return null
    const name = HAS_CAPITALS.test(resource_name) ? resource_name.replaceAll(CAPITALS, lowered) : resource_name
    const owner = providers.get(provider)?.get(kind)?.get(name)
    if (owner === undefined || owner.from_ms >= end_ms || owner.till_ms <= start_ms) return null
    const { resource_id, tenant_id, deployment_id } = owner
    return { resource_id, tenant_id, deployment_id, match_reason: `${kind} named ${resource_name}` }
  }
}

type PlainName = {
  readonly provider: string
  readonly kind: string
  readonly borne_name: string
  readonly resource_id: string
  readonly tenant_id: string
  readonly deployment_id: string
  /** Null: it always was, or still is, called so. */
  readonly from_ms: bigint | null
  readonly till_ms: bigint | null
}

function milliseconds(bound: 'lower' | 'upper') {
  return sql`floor(extract(epoch from ${sql.raw(bound)}(borne_in)) * 1000)::bigint`
}

type PlainOwner = Omit<PlainMatch, 'match_reason'> & { readonly from_ms: number; readonly till_ms: number }

function ownerOf({ from_ms, till_ms, ...owner }: Omit<PlainName, 'provider' | 'kind' | 'borne_name'>): PlainOwner {
  return { ...owner, from_ms: Number(from_ms ?? -Infinity), till_ms: Number(till_ms ?? Infinity) }
}

/** What the ladder would look at before the name, or instead of it. */
function isMore({ kind, external_resource_id, external_resource_uuid }: BillLine): boolean {
  return external_resource_id !== null || external_resource_uuid !== null || kind.startsWith('kubernetes')
}

/** Only these are lower-cased alike by every database. */
const CAPITALS = /[A-Z]+/g
const HAS_CAPITALS = /[A-Z]/

function lowered(capitals: string): string {
  return capitals.toLowerCase()
}
