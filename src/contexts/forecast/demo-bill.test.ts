import assert from 'node:assert/strict'
import { test } from 'node:test'
import { demoAccount } from '../../../demo/digitalocean/account.ts'
import {
  DATABASES,
  DROPLETS,
  LOAD_BALANCERS,
  SERVICES,
  SNAPSHOTS,
  VOLUMES,
} from '../../../demo/digitalocean/rentals.ts'
import { decimal, fixed, plain } from '../../kernel/decimal.ts'
import { parseMonth, type Period } from '../../kernel/period.ts'
import { expectedCosts, type RentedSpan } from './expected.ts'

const [april] = demoAccount().invoices
const APRIL = parseMonth('2026-04') as Period
const LATER = Temporal.Instant.from('2026-06-01T00:00:00Z')

test('every line of the demo’s bill that is charged by the hour is expected, to the cent', () => {
  const spans = [...droplets(), ...volumes(), ...snapshots(), ...databases(), ...loadBalancers(), ...services()]
  const expected = expectedCosts(spans, APRIL, LATER).map(({ name, month_end }) => [
    name,
    fixed(decimal(month_end ?? '-1'), 2),
  ])
  const hourly = april?.items.filter(({ duration_unit }) => duration_unit === 'Hours') ?? []
  assert.ok(hourly.length > 20)
  const billed = hourly.map(({ description, group_description, amount }) => [group_description || description, amount])
  assert.deepEqual(expected.toSorted(), billed.toSorted())
})

/** Named as the bill names them, and each size a resource of its own, as each is a line. */
function droplets(): RentedSpan[] {
  return DROPLETS.flatMap(({ name, sizes }, index) =>
    sizes.map(({ slug, from, to }) =>
      span(`droplet ${index} ${slug}`, 'droplet', `${name} (${slug})`, { size: slug, from, to }),
    ),
  )
}

function volumes(): RentedSpan[] {
  return VOLUMES.map(({ name, size_gigabytes, from, to }) =>
    span(name, 'volume', `${name} (syd1) ${size_gigabytes}GB`, { size_gb: String(size_gigabytes), from, to }),
  )
}

function snapshots(): RentedSpan[] {
  return SNAPSHOTS.map(({ id, name, of, size_gigabytes, from }) => {
    const product = of.kind === 'droplet' ? 'Droplet Snapshot' : 'Volume Snapshot'
    return span(id, 'snapshot', `${name} (syd1) ${size_gigabytes}GB ${product}`, {
      size_gb: plain(decimal(size_gigabytes)),
      from,
    })
  })
}

function databases(): RentedSpan[] {
  return DATABASES.map(({ name, size, from }) =>
    span(name, 'database', name, { size: `${size} x1`, size_gb: '10', from }),
  )
}

function loadBalancers(): RentedSpan[] {
  return LOAD_BALANCERS.map(({ name, nodes, from }) =>
    span(name, 'load_balancer', `${name} (syd1)`, { size: `regional x${nodes}`, from }),
  )
}

function services(): RentedSpan[] {
  return SERVICES.map(({ product, description, from, to }) =>
    product === 'Reserved IPs'
      ? span(description, 'reserved_ip', description, { size: 'unassigned', from, to })
      : span(null, 'spaces', description, { from, to }),
  )
}

function span(
  resource_id: string | null,
  kind: string,
  name: string,
  { size = '', size_gb = '0', from, to = null }: { size?: string; size_gb?: string; from: string; to?: string | null },
): RentedSpan {
  return {
    resource_id,
    kind,
    name,
    size,
    size_gb,
    price_monthly: null,
    parent_id: null,
    parent_name: null,
    starts_at: Temporal.Instant.from(from),
    ends_at: to === null ? null : Temporal.Instant.from(to),
  }
}
