import assert from 'node:assert/strict'
import { test } from 'node:test'

import { readDescription } from './describe.ts'

const READINGS: readonly [line: [string, string, string | null], reading: string][] = [
  [['Droplets', 'site (s-1vcpu-2gb)', null], 'droplet Usage site s-1vcpu-2gb -'],
  [['Droplets', 'web, edge (blue) (s-1vcpu-1gb)', null], 'droplet Usage web, edge (blue) s-1vcpu-1gb -'],
  [['Droplets', 'bare', null], 'droplet Usage bare - -'],
  [['GPU Droplets', 'train-01 (gpu-h100x8-640gb)', null], 'droplet Usage train-01 gpu-h100x8-640gb -'],
  [['Volumes', 'volume-sfo2-01 (sfo2) 100GB', null], 'volume Usage volume-sfo2-01 100GB sfo2'],
  [['Volumes', 'media (10 GiB)', null], 'volume Usage media 10 GiB -'],
  [
    ['Droplet Snapshots', 'host-p01-1707755441748 (fra1) 10.15GB Droplet Snapshot', null],
    'snapshot Usage host-p01 10.15GB fra1',
  ],
  [['Droplet Snapshots', 'before-upgrade (fra1) 2GB Droplet Snapshot', null], 'snapshot Usage before-upgrade 2GB fra1'],
  [['Droplet Backups', 'host-p01 (Weekly Backup Services)', null], 'backup Usage host-p01 - -'],
  [['Floating IPs', 'Unused Floating IP - 1.1.1.1', null], 'reserved_ip Usage 1.1.1.1 - -'],
  [['Reserved IPs', 'Unused Reserved IP - 203.0.113.9', null], 'reserved_ip Usage 203.0.113.9 - -'],
  [
    ['Kubernetes Clusters', '3 nodes - 4 GB / 2 vCPU / 80 GB SSD', 'my-doks-cluster'],
    'kubernetes_cluster Usage my-doks-cluster 3 nodes - 4 GB / 2 vCPU / 80 GB SSD -',
  ],
  [['Kubernetes Clusters', 'a56e086a317d8410', 'my-doks-cluster'], 'kubernetes_cluster Usage my-doks-cluster - -'],
  [['Database Clusters', '1 GB / 1 vCPU / 10 GB', 'pg-tenant-a'], 'database Usage pg-tenant-a 1 GB / 1 vCPU / 10 GB -'],
  [['Load Balancers', 'lb-01 (nyc3)', null], 'load_balancer Usage lb-01 - nyc3'],
  [['Spaces Subscription', 'Spaces ($5/mo 250GiB storage & 1TiB bandwidth)', null], 'spaces Purchase - - -'],
  [['Bandwidth', 'Bandwidth overage', null], 'bandwidth Usage - - -'],
  [['Credits', 'Promotional credit', null], 'credit Credit - - -'],
  [['Billing Adjustments', 'Service level refund', null], 'unclassified Adjustment - - -'],
  [['Widget Fabric', 'Widget Fabric standard tier', null], 'unclassified Usage - - -'],
  [['Widget Fabric', 'loom (syd1)', null], 'unclassified Usage loom - syd1'],
]

for (const [[product, description, group], expected] of READINGS) {
  test(`${product} "${description}" is read as ${expected}`, () => {
    const { kind, charge_category, resource_name, size, region } = readDescription(product, description, group)
    const reading = [kind, charge_category, resource_name ?? '-', size ?? '-', region ?? '-'].join(' ')
    assert.equal(reading, expected)
  })
}

test('tax is the product Taxes, or the word alone in a description that names no resource', () => {
  for (const [product, description] of [
    ['Taxes', 'STATE SALES TAX (6.25%)'],
    ['Taxes', 'anything'],
    ['Other', 'GST Australia (10%)'],
    ['Other', 'VAT Switzerland (8.10%)'],
    ['Bandwidth', 'Sales tax on bandwidth'],
  ] as const) {
    assert.equal(readDescription(product, description, null).kind, 'tax', description)
  }
})

test('a resource whose name speaks of tax is no tax', () => {
  for (const [product, description, group] of [
    ['Droplets', 'tax (s-1vcpu-1gb)', null],
    ['Droplets', 'VAT', null],
    ['Volumes', 'gst data (syd1) 10GB', null],
    ['Database Clusters', '1 GB / 1 vCPU / 10 GB', 'tax'],
    ['Widget Fabric', 'GST engine (syd1)', null],
    ['Widget Fabric', 'vat-01 standard', null],
    ['Widget Fabric', 'tax.example.com', null],
    ['Widget Fabric', 'taxonomy service', null],
  ] as const) {
    assert.notEqual(readDescription(product, description, group).kind, 'tax', description)
  }
})
