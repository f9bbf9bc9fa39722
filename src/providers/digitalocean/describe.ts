export type ChargeKind =
  | 'droplet'
  | 'volume'
  | 'snapshot'
  | 'backup'
  | 'reserved_ip'
  | 'kubernetes_cluster'
  | 'database'
  | 'load_balancer'
  | 'spaces'
  | 'bandwidth'
  | 'tax'
  | 'credit'
  | 'unclassified'

/** The FOCUS charge categories (FinOps Open Cost and Usage Specification 1.0, ChargeCategory). */
export type ChargeCategory = 'Usage' | 'Purchase' | 'Tax' | 'Credit' | 'Adjustment'

export type ChargeDescription = {
  readonly kind: ChargeKind
  readonly charge_category: ChargeCategory
  /** For a backup or an automatically named snapshot: the droplet it was taken of. */
  readonly resource_name: string | null
  readonly size: string | null
  readonly region: string | null
}

/**
 * What a line of a bill is about, read from its texts. The parenthesis is read from the right, because names may
 * hold commas and parentheses. A product nobody has seen is `unclassified`, never guessed.
 */
export function readDescription(product: string, description: string, group: string | null): ChargeDescription {
  const kind = kindOfProduct(product)
  const named = readResource(kind, description, group)
  if (kind === 'tax' || (named.resource_name === null && TAX_WORD.test(description))) return TAX
  return { kind, charge_category: categoryOf(kind, product), ...named }
}

const TAX = { kind: 'tax', charge_category: 'Tax', resource_name: null, size: null, region: null } as const

/** Not part of a host name or a slug: `tax.example.com` and `vat-01` are names. */
const TAX_WORD = /(?<![\w.-])(?:GST|VAT|tax)(?![\w-]|\.\w)/i

const KIND_BY_PRODUCT: ReadonlyMap<string, ChargeKind> = new Map([
  ['droplets', 'droplet'],
  ['gpu droplets', 'droplet'],
  ['volumes', 'volume'],
  ['droplet snapshots', 'snapshot'],
  ['volume snapshots', 'snapshot'],
  ['snapshots', 'snapshot'],
  ['droplet backups', 'backup'],
  ['backups', 'backup'],
  ['floating ips', 'reserved_ip'],
  ['reserved ips', 'reserved_ip'],
  ['kubernetes clusters', 'kubernetes_cluster'],
  ['database clusters', 'database'],
  ['load balancers', 'load_balancer'],
  ['spaces subscription', 'spaces'],
  ['spaces', 'spaces'],
  ['bandwidth', 'bandwidth'],
  ['taxes', 'tax'],
  ['credits', 'credit'],
])

function kindOfProduct(product: string): ChargeKind {
  return KIND_BY_PRODUCT.get(product.trim().toLowerCase()) ?? 'unclassified'
}

function categoryOf(kind: ChargeKind, product: string): ChargeCategory {
  if (kind === 'credit') return 'Credit'
  if (/subscription/i.test(product)) return 'Purchase'
  if (/adjustment/i.test(product)) return 'Adjustment'
  return 'Usage'
}

type NamedResource = Pick<ChargeDescription, 'resource_name' | 'size' | 'region'>

function readResource(kind: ChargeKind, description: string, group: string | null): NamedResource {
  switch (kind) {
    case 'spaces':
    case 'bandwidth':
    case 'credit':
    case 'tax':
      return { resource_name: null, size: null, region: null }
    case 'kubernetes_cluster':
    case 'database':
      return group === null
        ? readNameAndSize(description)
        : { resource_name: group, size: sizeOf(description), region: null }
    case 'reserved_ip':
      return { resource_name: / - ([\da-f.:]+)$/i.exec(description)?.[1] ?? null, size: null, region: null }
    case 'backup':
      return { ...readNameAndSize(description), size: null }
    case 'snapshot':
      return readSnapshot(description)
    case 'unclassified':
      return readUnclassified(description)
    case 'droplet':
    case 'volume':
    case 'load_balancer':
    default:
      return readNameAndSize(description)
  }
}

/** In a group the description says what the group is made of (`1 GB / 1 vCPU / 10 GB`), or is an opaque id. */
function sizeOf(description: string): string | null {
  return /\d ?GB\b/.test(description) ? description : null
}

/** `name (size)`, `name (region)` or `name (region) 100GB`; the name alone when there is no parenthesis. */
function readNameAndSize(description: string): NamedResource {
  const [, name = description, inner = null, tail = ''] = TRAILING_PARENTHESIS.exec(description) ?? []
  if (inner !== null && REGION.test(inner)) return { resource_name: name, size: tail || null, region: inner }
  return { resource_name: name, size: inner, region: null }
}

/** `name-1707755441748 (fra1) 10.15GB Droplet Snapshot`: the digits are the moment it was taken. */
function readSnapshot(description: string): NamedResource {
  const match = SNAPSHOT.exec(description)
  if (!match) return readNameAndSize(description)
  const [, name = '', region = null, size = null] = match
  return { resource_name: name.replace(/-\d{10,}$/, ''), size, region }
}

/** Only a size or a region in the parenthesis says that what stands before it is a resource. */
function readUnclassified(description: string): NamedResource {
  const inner = TRAILING_PARENTHESIS.exec(description)?.[2]
  const namesResource = inner !== undefined && (REGION.test(inner) || SIZE.test(inner))
  return namesResource ? readNameAndSize(description) : { resource_name: null, size: null, region: null }
}

const TRAILING_PARENTHESIS = /^(.*\S)\s*\(([^()]*)\)\s*(\d+(?:\.\d+)?\s*Gi?B)?$/
const SNAPSHOT = /^(.*\S)\s*\(([^()]*)\)\s*(\d+(?:\.\d+)?\s*Gi?B)\b.*Snapshot$/
const REGION = /^[a-z]{3}\d$/
/** `s-1vcpu-2gb`, `gpu-h100x8-640gb`, `10 GiB`. */
const SIZE = /^(?:[a-z]+\d*(?:-[a-z0-9]+)+|\d+(?:\.\d+)?\s*Gi?B)$/
