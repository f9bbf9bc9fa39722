/** The charge categories of FOCUS, the FinOps Open Cost and Usage Specification 1.2 (column ChargeCategory). */
export const CHARGE_CATEGORIES = ['Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment'] as const
export type ChargeCategory = (typeof CHARGE_CATEGORIES)[number]

/** The service categories of FOCUS 1.2 (column ServiceCategory). What nobody has classified is `Other`. */
export const SERVICE_CATEGORIES = [
  'AI and Machine Learning',
  'Analytics',
  'Business Applications',
  'Compute',
  'Databases',
  'Developer Tools',
  'Identity',
  'Integration',
  'Internet of Things',
  'Management and Governance',
  'Media',
  'Migration',
  'Mobile',
  'Multicloud',
  'Networking',
  'Security',
  'Storage',
  'Web',
  'Other',
] as const
export type ServiceCategory = (typeof SERVICE_CATEGORIES)[number]

/** Providers bill by the month in UTC. */
export const PROVIDER_ZONE = 'UTC'

/** The kind of a line whose product nobody knows. Such lines are kept, counted and listed. */
export const UNCLASSIFIED = 'unclassified'

/** One line of a provider's bill, classified: what every reader of bills, whatever the provider, makes of a row. */
export type BillLine = {
  /** What the line pays for, `droplet`, `volume`, `tax`: a snake_case word; `unclassified` where nobody knows. */
  readonly kind: string
  readonly charge_category: ChargeCategory
  readonly service_category: ServiceCategory
  readonly service_name: string
  /** The provider's own words. */
  readonly product: string
  readonly group_description: string | null
  readonly description: string
  /** Exact, in major units, with its sign. */
  readonly amount: string
  readonly quantity: string | null
  readonly unit: string | null
  /** Null: the line is charged for the period of its bill. The end is exclusive and not before the start. */
  readonly start: Temporal.Instant | null
  readonly end: Temporal.Instant | null
  readonly project: string | null
  /** A line may carry a number, a uuid or both; an inventory knows a resource by one of them. */
  readonly external_resource_id: string | null
  readonly external_resource_uuid: string | null
  readonly resource_name: string | null
  readonly region: string | null
  /** Columns of the file that have no place of their own here, as they were; null when there are none. */
  readonly extra: Readonly<Record<string, string>> | null
}
