import { SERVICE_CATEGORIES, type ServiceCategory } from '../../providers/bill-line.ts'

export type Service = {
  readonly name: string
  readonly category: ServiceCategory
  readonly subcategory: string
}

/**
 * A service with its place in the catalogue of FOCUS. The subcategory is what the provider said, if the catalogue knows
 * it, else that of the kind of the line, else the rest of the category.
 */
export function serviceOf(facts: {
  readonly name: string
  readonly category: string
  readonly subcategory: string | undefined
  readonly kind: string
}): Service {
  const category = SERVICE_CATEGORIES.find((known) => known === facts.category) ?? 'Other'
  const candidates = [facts.subcategory, SUBCATEGORY_BY_KIND[facts.kind]]
  const subcategory = candidates.find((word) => word !== undefined && SUBCATEGORIES[category].includes(word))
  return { name: facts.name, category, subcategory: subcategory ?? `Other (${category})` }
}

/** The subcategories of each service category beside `Other (…)` (FOCUS 1.2, column ServiceSubcategory). */
const SUBCATEGORIES: Readonly<Record<ServiceCategory, readonly string[]>> = {
  'AI and Machine Learning': [
    'AI Platforms',
    'Bots',
    'Generative AI',
    'Machine Learning',
    'Natural Language Processing',
  ],
  Analytics: ['Analytics Platforms', 'Business Intelligence', 'Data Processing', 'Search', 'Streaming Analytics'],
  'Business Applications': ['Productivity and Collaboration'],
  Compute: ['Containers', 'End User Computing', 'Quantum Compute', 'Serverless Compute', 'Virtual Machines'],
  Databases: [
    'Caching',
    'Data Warehouses',
    'Ledger Databases',
    'NoSQL Databases',
    'Relational Databases',
    'Time Series Databases',
  ],
  'Developer Tools': [
    'Developer Platforms',
    'Continuous Integration and Deployment',
    'Development Environments',
    'Source Code Management',
    'Quality Assurance',
  ],
  Identity: ['Identity and Access Management'],
  Integration: ['API Management', 'Messaging', 'Workflow Orchestration'],
  'Internet of Things': ['IoT Analytics', 'IoT Platforms'],
  'Management and Governance': [
    'Architecture',
    'Compliance',
    'Cost Management',
    'Data Governance',
    'Disaster Recovery',
    'Endpoint Management',
    'Observability',
    'Support',
  ],
  Media: ['Content Creation', 'Gaming', 'Media Streaming', 'Mixed Reality'],
  Migration: ['Data Migration', 'Resource Migration'],
  Mobile: [],
  Multicloud: ['Multicloud Integration'],
  Networking: [
    'Application Networking',
    'Content Delivery',
    'Network Connectivity',
    'Network Infrastructure',
    'Network Routing',
    'Network Security',
  ],
  Security: ['Secret Management', 'Security Posture Management', 'Threat Detection and Response'],
  Storage: ['Backup Storage', 'Block Storage', 'File Storage', 'Object Storage', 'Storage Platforms'],
  Web: ['Application Platforms'],
  Other: [],
}

/** For lines of providers whose bills know no subcategories. */
const SUBCATEGORY_BY_KIND: Readonly<Record<string, string>> = {
  app: 'Application Platforms',
  backup: 'Backup Storage',
  bandwidth: 'Network Connectivity',
  dedicated_inference: 'Machine Learning',
  droplet: 'Virtual Machines',
  function_namespace: 'Serverless Compute',
  gen_ai_agent: 'AI Platforms',
  kubernetes_cluster: 'Containers',
  load_balancer: 'Application Networking',
  monitoring: 'Observability',
  nfs_share: 'File Storage',
  reserved_ip: 'Network Infrastructure',
  snapshot: 'Backup Storage',
  spaces: 'Object Storage',
  support: 'Support',
  uptime: 'Observability',
  volume: 'Block Storage',
  vpc_nat_gateway: 'Network Routing',
}
