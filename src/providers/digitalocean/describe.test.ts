import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { decimal, plain, sum } from '../../kernel/decimal.ts'
import type { BillLine } from '../bill-line.ts'
import { toBillLine } from './describe.ts'
import { parseInvoiceCsv } from './invoice-csv.ts'
import type { InvoiceItem } from './item.ts'

const ITEM: InvoiceItem = {
  product: 'Droplets',
  group_description: null,
  description: 'web (s-1vcpu-1gb)',
  amount: '6',
  duration: '744',
  duration_unit: 'hours',
  start: null,
  end: null,
  project_name: null,
  category: null,
  resource_id: null,
  resource_uuid: null,
  extra: null,
}

const SERVICES: readonly [products: string, service: string][] = [
  ['Droplets', 'droplet / Compute / Droplets / Usage'],
  ['GPU Droplets', 'droplet / Compute / GPU Droplets / Usage'],
  ['Kubernetes Clusters', 'kubernetes_cluster / Compute / Kubernetes / Usage'],
  ['Functions', 'function_namespace / Compute / Functions / Usage'],
  ['App Platform, Apps', 'app / Web / App Platform / Usage'],
  ['Volumes', 'volume / Storage / Volumes Block Storage / Usage'],
  ['Droplet Snapshots, Volume Snapshots', 'snapshot / Storage / Snapshots / Usage'],
  ['Droplet Backups, Backups', 'backup / Storage / Backups / Usage'],
  ['NFS', 'nfs_share / Storage / Network File Storage / Usage'],
  ['Spaces Subscription', 'spaces / Storage / Spaces Object Storage / Purchase'],
  ['Spaces, Spaces Overage', 'spaces / Storage / Spaces Object Storage / Usage'],
  [
    'Database Clusters, Managed Databases, Managed PostgreSQL, MySQL, Managed Databases for Valkey',
    'database / Databases / Managed Databases / Usage',
  ],
  ['Floating IPs, Reserved IPs, Reserved IPv6', 'reserved_ip / Networking / Reserved IPs / Usage'],
  ['Load Balancers', 'load_balancer / Networking / Load Balancers / Usage'],
  ['NAT Gateways, VPC NAT Gateways', 'vpc_nat_gateway / Networking / VPC NAT Gateways / Usage'],
  ['Bandwidth, Bandwidth Overage', 'bandwidth / Networking / Bandwidth / Usage'],
  ['Container Registry', 'container_registry / Developer Tools / Container Registry / Purchase'],
  ['GradientAI Platform, GenAI', 'gen_ai_agent / AI and Machine Learning / Gradient AI Platform / Usage'],
  ['Dedicated Inference', 'dedicated_inference / AI and Machine Learning / Dedicated Inference / Usage'],
  ['Uptime', 'uptime / Management and Governance / Uptime / Usage'],
  ['Monitoring', 'monitoring / Management and Governance / Monitoring / Usage'],
  ['Support Plan, Premium Support', 'support / Management and Governance / Support / Purchase'],
  ['Credits, Promotional Credit', 'credit / Other / Credits / Credit'],
  ['Adjustments, Billing Adjustments, Refunds', 'adjustment / Other / Adjustments / Adjustment'],
  ['Taxes', 'tax / Other / Taxes / Tax'],
  ['Widget Fabric', 'unclassified / Other / Widget Fabric / Usage'],
  ['Widget Subscription', 'unclassified / Other / Widget Subscription / Purchase'],
  ['Widget Adjustment', 'unclassified / Other / Widget Adjustment / Adjustment'],
]

for (const [products, service] of SERVICES) {
  test(`${products}: ${service}`, () => {
    for (const product of products.split(', ')) {
      for (const spelling of [product, ` ${product.toUpperCase()} `]) {
        const line = read({ product: spelling })
        const found = [line.kind, line.service_category, line.service_name, line.charge_category].join(' / ')
        assert.equal(found.toLowerCase(), service.toLowerCase())
      }
    }
  })
}

const NAMES: readonly [line: [string, string, string | null], name: string][] = [
  [['Droplets', 'site (s-1vcpu-2gb)', null], 'site, -'],
  [['Droplets', 'web, edge (blue) (s-1vcpu-1gb)', null], 'web, edge (blue), -'],
  [['Droplets', 'bare', null], 'bare, -'],
  [['GPU Droplets', 'train-01 (gpu-h100x8-640gb)', null], 'train-01, -'],
  [['Volumes', 'volume-sfo2-01 (sfo2) 100GB', null], 'volume-sfo2-01, sfo2'],
  [['Volumes', 'media (10 GiB)', null], 'media, -'],
  [['Volumes', 'archive (old) (fra1) 2TiB', null], 'archive (old), fra1'],
  [['NFS', 'share-01 (nyc2) 100GB', null], 'share-01, nyc2'],
  [['Droplet Snapshots', 'host-p01-1707755441748 (fra1) 10.15GB Droplet Snapshot', null], 'host-p01, fra1'],
  [['Droplet Snapshots', 'before-upgrade (fra1) 2GB Droplet Snapshot', null], 'before-upgrade, fra1'],
  [['Volume Snapshots', 'media, (2026) (syd1) 8.50GB Volume Snapshot', null], 'media, (2026), syd1'],
  [['Droplet Backups', 'host-p01 (Weekly Backup Services)', null], 'host-p01, -'],
  [['Droplet Backups', 'shop (blue) (Daily Backup Services)', null], 'shop (blue), -'],
  [['Backups', 'host-p01 (s-2vcpu-4gb)', null], 'host-p01, -'],
  [['Floating IPs', 'Unused Floating IP - 1.1.1.1', null], '1.1.1.1, -'],
  [['Reserved IPs', 'Unused Reserved IP - 203.0.113.9 (nyc3)', null], '203.0.113.9, nyc3'],
  [['Reserved IPv6', 'Unused Reserved IPv6 - 2001:db8::7', null], '2001:db8::7, -'],
  [['Reserved IPs', 'Unused Reserved IPs', null], '-, -'],
  [['Kubernetes Clusters', '3 nodes - 4 GB / 2 vCPU / 80 GB SSD', 'my-doks-cluster'], 'my-doks-cluster, -'],
  [['Kubernetes Clusters', 'a56e086a317d8410', 'my-doks-cluster'], 'my-doks-cluster, -'],
  [['Database Clusters', '1 GB / 1 vCPU / 10 GB', 'pg-tenant-a'], 'pg-tenant-a, -'],
  [['Database Clusters', 'pg-tenant-a (db-s-1vcpu-1gb)', null], 'pg-tenant-a, -'],
  [['App Platform', 'web - basic-xxs', 'shop-front'], 'shop-front, -'],
  [['Apps', 'shop-front (Basic)', null], 'shop-front, -'],
  [['Load Balancers', 'lb-01 (nyc3)', null], 'lb-01, nyc3'],
  [['NAT Gateways', 'nat-01 (syd1)', null], 'nat-01, syd1'],
  [['Container Registry', 'Container Registry (Basic)', null], '-, -'],
  [['Container Registry', 'Basic', 'images'], 'images, -'],
  [['GradientAI Platform', 'Input tokens', null], '-, -'],
  [['Spaces Subscription', 'Spaces ($5/mo 250GiB storage & 1TiB bandwidth)', null], '-, -'],
  [['Bandwidth', 'Bandwidth overage', null], '-, -'],
  [['Credits', 'Promotional credit', null], '-, -'],
  [['Widget Fabric', 'Widget Fabric standard tier', null], '-, -'],
  [['Widget Fabric', 'standard tier (pay-as-you-go)', null], '-, -'],
  [['Widget Fabric', 'loom (syd1)', null], 'loom, syd1'],
  [['Widget Fabric', 'loom (10 GiB)', null], 'loom, -'],
  [['Widget Fabric', 'standard tier', 'loom'], 'loom, -'],
]

for (const [[product, description, group_description], name] of NAMES) {
  test(`${product} "${description}"${group_description === null ? '' : ` in ${group_description}`} names ${name}`, () => {
    const line = read({ product, description, group_description })
    assert.equal(`${line.resource_name ?? '-'}, ${line.region ?? '-'}`, name)
  })
}

test('tax is the product Taxes, or the word alone in a description that names no resource', () => {
  for (const [product, description] of [
    ['Taxes', 'STATE SALES TAX (6.25%)'],
    ['Taxes', 'anything'],
    ['Other', 'GST Australia (10%)'],
    ['Other', 'VAT Switzerland (8.10%)'],
    ['Other', 'Sales tax'],
  ] as const) {
    const { kind, charge_category, resource_name } = read({ product, description })
    assert.deepEqual([kind, charge_category, resource_name], ['tax', 'Tax', null], description)
  }
})

test('a droplet whose name holds GST, VAT or tax is a droplet', () => {
  for (const [product, description, group_description] of [
    ['Droplets', 'gst-prod (s-1vcpu-1gb)', null],
    ['Droplets', 'tax', null],
    ['Volumes', 'VAT archive (fra1) 10GB', null],
    ['Database Clusters', '1 GB / 1 vCPU / 10 GB', 'tax'],
    ['Other', 'gst.example.com (s-1vcpu-1gb)', null],
    ['Other', 'Widget for tax.example.com', null],
    ['Other', 'Widget vat-01', null],
  ] as const) {
    assert.notEqual(read({ product, description, group_description }).kind, 'tax', description)
  }
})

const COMPENSATIONS: readonly [row: [string, string], reading: string][] = [
  [['Droplets', 'web (s-1vcpu-1gb)'], 'droplet Usage web'],
  [['Droplets', 'refund (s-1vcpu-1gb)'], 'droplet Usage refund'],
  [['Droplets', 'Refund for an outage'], 'droplet Adjustment -'],
  [['Bandwidth', 'Courtesy credit'], 'bandwidth Credit -'],
  [['Spaces Subscription', 'Spaces'], 'spaces Purchase -'],
  [['Taxes', 'Tax adjustment'], 'tax Tax -'],
  [['Credits', 'Refund'], 'credit Credit -'],
  [['Adjustments', 'Credit for April'], 'adjustment Adjustment -'],
  [['Startup Programme', 'Credit of the programme'], 'credit Credit -'],
  [['Goodwill Credits', 'April'], 'credit Credit -'],
  [['Invoice Correction', 'April'], 'adjustment Adjustment -'],
  [['Widget Fabric', 'standard tier'], 'unclassified Adjustment -'],
  [['Widget Fabric', 'loom (syd1)'], 'unclassified Adjustment loom'],
]

for (const [[product, description], reading] of COMPENSATIONS) {
  test(`a negative amount for ${product} "${description}" is ${reading}`, () => {
    const line = read({ product, description, amount: '-5' })
    assert.equal([line.kind, line.charge_category, line.resource_name ?? '-'].join(' '), reading)
  })
}

test('a positive amount is no credit, whatever its words', () => {
  assert.equal(read({ product: 'Inference Credits', description: 'Pack of credits' }).charge_category, 'Usage')
})

test('the unit is the one that the bill names, else backups or hours; nothing has none', () => {
  const unit = (item: Partial<InvoiceItem>) => read({ duration_unit: null, ...item }).unit
  assert.equal(unit({}), 'hours')
  assert.equal(unit({ product: 'Droplet Backups' }), 'backups')
  assert.equal(unit({ product: 'Bandwidth', duration_unit: 'gib' }), 'gib')
  assert.equal(unit({ duration: null }), null)
})

test('what has no place of its own is kept as it was', () => {
  assert.equal(read({}).extra, null)
  assert.deepEqual(read({ category: 'iaas' }).extra, { category: 'iaas' })
  assert.deepEqual(read({ category: 'iaas', extra: { team: 'blue' } }).extra, { team: 'blue', category: 'iaas' })
})

test('the hard cases are read line by line, and add up', () => {
  const lines = fixture('hard-cases.csv')
  assert.deepEqual(lines.map(summaryOf), [
    'droplet Usage 24 api-01 720 hours',
    'droplet Usage 10.72 api-01 300.25 hours',
    'droplet Usage 0.11 web, edge (blue) 12.5 hours',
    'kubernetes_cluster Usage 72 my-doks-cluster 720 hours',
    'database Usage 15.15 pg-tenant-a 720 hours',
    'load_balancer Usage 12 lb-01 nyc3 720 hours',
    'spaces Purchase 5 720 hours',
    'bandwidth Usage 0.37',
    'droplet Usage 1363.44 train-01 57 hours',
    'credit Credit -25',
    'tax Tax 147.78',
  ])
  assert.equal(totalOf(lines), '1625.57')
})

test('the bill of 2025 is 76 of droplets, 0.61 of a snapshot, 2.40 of backups and 8.10 % of tax on 79.01', () => {
  const lines = fixture('2025-03-nine-columns.csv')
  const totals = Map.groupBy(lines, ({ kind }) => kind)
  assert.deepEqual(
    [...totals].map(([kind, group]) => `${kind} ${totalOf(group)}`),
    ['droplet 76', 'snapshot 0.61', 'backup 2.4', 'tax 6.4'],
  )
  assert.equal(totalOf(lines), '85.41')
  const backups = lines.find(({ kind }) => kind === 'backup')
  assert.deepEqual([backups?.quantity, backups?.unit], ['5', 'backups'])
  assert.equal(decimal('79.01').times(decimal('0.081')).toFixed(2), '6.40')
})

test('an hour of 2019 costs 0.02976, and a whole month its monthly price', () => {
  const ofWorker = fixture('2019-01-eight-columns.csv').filter(({ resource_name }) =>
    resource_name?.startsWith('worker'),
  )
  for (const { quantity, amount } of ofWorker) {
    assert.equal(
      decimal(quantity ?? '0')
        .times(decimal('0.02976'))
        .toFixed(2),
      amount,
    )
  }
  assert.equal(ofWorker.length, 2)
  const wholeMonth = fixture('2019-01-eight-columns.csv').find(({ resource_name }) => resource_name === 'staging')
  assert.deepEqual([wholeMonth?.quantity, wholeMonth?.amount], ['744', '20'])
})

function read(item: Partial<InvoiceItem>): BillLine {
  return toBillLine({ ...ITEM, ...item })
}

function fixture(name: string): BillLine[] {
  const text = readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')
  const { items, faults } = parseInvoiceCsv(text)
  assert.deepEqual(faults, [])
  return items.map(toBillLine)
}

function summaryOf({ kind, charge_category, amount, resource_name, region, quantity, unit }: BillLine): string {
  return [kind, charge_category, amount, resource_name, region, quantity, unit]
    .filter((part) => part !== null)
    .join(' ')
}

function totalOf(lines: readonly BillLine[]): string {
  return plain(sum(lines.map(({ amount }) => decimal(amount))))
}
