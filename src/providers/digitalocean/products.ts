import { type ChargeCategory, type ServiceCategory, UNCLASSIFIED } from '../bill-line.ts'

/** Where the lines of a product name their resource, if they name one. */
export type Naming =
  /** At the head of the description: `name (size)`, `name (region) 100GB`. */
  | 'description'
  /** In `group_description`; where that is blank, as above. */
  | 'group'
  /** At the end of the description: `Unused Reserved IP - 203.0.113.9`. */
  | 'address'
  /** `name-<digits> (region) 10.15GB Droplet Snapshot`. */
  | 'snapshot'
  /** Only where a size, a region or a group shows that a resource is meant; else the line concerns the account. */
  | 'if_shown'
  /** Nowhere: the line concerns the account. */
  | 'none'

export type Product = {
  readonly kind: string
  readonly service_category: ServiceCategory
  /** The provider's own name of the service. Each has one service category, as FOCUS requires. */
  readonly service_name: string
  readonly charge_category: ChargeCategory
  readonly naming: Naming
}

/** What a product's name on a bill stands for, in any case of letters; undefined for a product nobody has seen. */
export function findProduct(name: string): Product | undefined {
  return PRODUCT_BY_NAME.get(name.trim().toLowerCase())
}

/** A product nobody has seen is never guessed: it is named as on the bill, and only a plain word tells its category. */
export function unclassified(name: string): Product {
  return {
    kind: UNCLASSIFIED,
    service_category: 'Other',
    service_name: name.trim(),
    charge_category: categoryOf(name),
    naming: 'if_shown',
  }
}

function categoryOf(name: string): ChargeCategory {
  if (/\badjustments?\b/i.test(name)) return 'Adjustment'
  return /\bsubscriptions?\b/i.test(name) ? 'Purchase' : 'Usage'
}

const DATABASE_ENGINES = ['PostgreSQL', 'MySQL', 'Redis', 'Valkey', 'Caching', 'MongoDB', 'Kafka', 'OpenSearch']

export const CREDIT: Product = account('credit', 'Other', 'Credits', 'Credit')
export const ADJUSTMENT: Product = account('adjustment', 'Other', 'Adjustments', 'Adjustment')
export const TAX: Product = account('tax', 'Other', 'Taxes', 'Tax')

/** Kinds are the inventory's where it knows the thing, so that a line finds its resource by kind and name. */
const PRODUCTS: readonly (readonly [product: Product, names: readonly string[]])[] = [
  [rented('droplet', 'Compute', 'Droplets', 'description'), ['Droplets']],
  [rented('droplet', 'Compute', 'GPU Droplets', 'description'), ['GPU Droplets']],
  [rented('kubernetes_cluster', 'Compute', 'Kubernetes', 'group'), ['Kubernetes Clusters', 'Kubernetes', 'DOKS']],
  [rented('function_namespace', 'Compute', 'Functions', 'if_shown'), ['Functions', 'Serverless Functions']],
  [rented('app', 'Web', 'App Platform', 'group'), ['App Platform', 'App Platform Apps', 'Apps']],
  [rented('volume', 'Storage', 'Volumes Block Storage', 'description'), ['Volumes', 'Block Storage Volumes']],
  [rented('snapshot', 'Storage', 'Snapshots', 'snapshot'), ['Droplet Snapshots', 'Volume Snapshots', 'Snapshots']],
  [rented('backup', 'Storage', 'Backups', 'description'), ['Droplet Backups', 'Backups']],
  [
    rented('nfs_share', 'Storage', 'Network File Storage', 'description'),
    ['Network File Storage', 'NFS', 'NFS Shares', 'File Storage'],
  ],
  [account('spaces', 'Storage', 'Spaces Object Storage', 'Purchase'), ['Spaces Subscription', 'Spaces Subscriptions']],
  [
    account('spaces', 'Storage', 'Spaces Object Storage', 'Usage'),
    ['Spaces', 'Spaces Overage', 'Spaces Storage Overage', 'Spaces Bandwidth Overage', 'Spaces Cold Storage'],
  ],
  [
    rented('database', 'Databases', 'Managed Databases', 'group'),
    [
      'Database Clusters',
      'Databases',
      'Managed Databases',
      'Managed Database Clusters',
      ...DATABASE_ENGINES.flatMap((engine) => [engine, `Managed ${engine}`, `Managed Databases for ${engine}`]),
    ],
  ],
  [
    rented('reserved_ip', 'Networking', 'Reserved IPs', 'address'),
    ['Floating IPs', 'Reserved IPs', 'Reserved IPv6', 'Reserved IPv6s', 'Reserved IPv6 Addresses'],
  ],
  [
    rented('load_balancer', 'Networking', 'Load Balancers', 'description'),
    ['Load Balancers', 'Global Load Balancers', 'Regional Load Balancers'],
  ],
  [
    rented('vpc_nat_gateway', 'Networking', 'VPC NAT Gateways', 'description'),
    ['NAT Gateways', 'VPC NAT Gateways', 'VPC NAT Gateway'],
  ],
  [
    account('bandwidth', 'Networking', 'Bandwidth', 'Usage'),
    ['Bandwidth', 'Bandwidth Overage', 'Bandwidth Overages', 'Droplet Bandwidth', 'Data Transfer'],
  ],
  [
    {
      ...rented('container_registry', 'Developer Tools', 'Container Registry', 'if_shown'),
      charge_category: 'Purchase',
    },
    ['Container Registry', 'Container Registries', 'Container Registry Subscription'],
  ],
  [
    rented('container_registry', 'Developer Tools', 'Container Registry', 'if_shown'),
    ['Container Registry Overage', 'Container Registry Storage Overage'],
  ],
  [
    rented('gen_ai_agent', 'AI and Machine Learning', 'Gradient AI Platform', 'if_shown'),
    [
      'GradientAI',
      'Gradient AI',
      'GradientAI Platform',
      'Gradient AI Platform',
      'GenAI',
      'GenAI Platform',
      'GenAI Agents',
      'Serverless Inference',
    ],
  ],
  [
    rented('dedicated_inference', 'AI and Machine Learning', 'Dedicated Inference', 'description'),
    ['Dedicated Inference', 'Dedicated Inferences'],
  ],
  [account('uptime', 'Management and Governance', 'Uptime', 'Usage'), ['Uptime', 'Uptime Checks']],
  [account('monitoring', 'Management and Governance', 'Monitoring', 'Usage'), ['Monitoring', 'Alerts']],
  [
    account('support', 'Management and Governance', 'Support', 'Purchase'),
    ['Support', 'Support Plan', 'Support Plans', 'Premium Support', 'Standard Support', 'Developer Support'],
  ],
  [CREDIT, ['Credits', 'Credit', 'Promotional Credits', 'Promotional Credit', 'Referral Credits', 'Promo Code']],
  [ADJUSTMENT, ['Adjustments', 'Adjustment', 'Billing Adjustments', 'Billing Adjustment', 'Refunds', 'Refund']],
  [TAX, ['Taxes', 'Tax', 'Sales Tax', 'GST', 'VAT']],
]

const PRODUCT_BY_NAME: ReadonlyMap<string, Product> = new Map(
  PRODUCTS.flatMap(([product, names]) => names.map((name) => [name.toLowerCase(), product] as const)),
)

/** Something that is rented by the piece. */
function rented(kind: string, service_category: ServiceCategory, service_name: string, naming: Naming): Product {
  return { kind, service_category, service_name, charge_category: 'Usage', naming }
}

/** Something that the account as a whole pays for. */
function account(
  kind: string,
  service_category: ServiceCategory,
  service_name: string,
  charge_category: ChargeCategory,
): Product {
  return { kind, service_category, service_name, charge_category, naming: 'none' }
}
