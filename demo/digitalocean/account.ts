import { decimal, type Decimal, fixed, plain, round, share, smaller, sum } from '../../src/kernel/decimal.ts'
import {
  earlierInstant,
  instantsOf,
  laterInstant,
  monthLabel,
  monthOf,
  type Period,
  secondsWithin,
  type Window,
} from '../../src/kernel/period.ts'
import { type Inventory, inventoryNow, uuidOf, volumeId } from './inventory.ts'
import {
  CAP_HOURS,
  DATABASES,
  DROPLETS,
  LOAD_BALANCERS,
  ONE_OFFS,
  type OneOff,
  REGION,
  type RentedDatabase,
  type RentedDroplet,
  type RentedLoadBalancer,
  type RentedSnapshot,
  type RentedVolume,
  SERVICES,
  SIZES,
  SNAPSHOT_PRICE_PER_GIGABYTE,
  SNAPSHOTS,
  VOLUME_PRICE_PER_GIGABYTE,
  VOLUMES,
} from './rentals.ts'

/** An invoice item as the API spells it. Amounts have two decimals. */
export type WireItem = {
  product: string
  resource_uuid?: string
  resource_id?: string
  group_description: string
  description: string
  amount: string
  duration: string
  duration_unit: string
  start_time: string
  end_time: string
  project_name: string
  category: string
}

export type AccountInvoice = {
  invoice_uuid: string
  invoice_id: string
  invoice_period: string
  /** Only on the preview. */
  updated_at?: string
  items: readonly WireItem[]
}

export type WireBillingEntry = {
  type: string
  date: string
  amount: string
  description: string
  invoice_id?: string
  invoice_uuid?: string
}

export type Account = Inventory & {
  account_number: string
  generated_at: string
  /** Newest first, like the invoices. */
  billing_history: readonly WireBillingEntry[]
  invoices: readonly AccountInvoice[]
  preview: AccountInvoice
}

/** The moment at which the demo's account is looked at. */
export const DEMO_NOW = Temporal.Instant.from('2026-05-02T06:00:00Z')

const FIRST_MONTH = Temporal.PlainDate.from('2023-03-01')
const TAX_RATE = decimal('0.10')
const FIRST_INVOICE_NUMBER = 512_000_001n

/** The account of one operator who rents for five tenants and for itself; the same at every call. */
export function demoAccount(): Account {
  const bills = closedMonths().map((month, index) => bill(month, index, instantsOf(month, 'UTC').end))
  const running = monthOf(DEMO_NOW.toZonedDateTimeISO('UTC').toPlainDate())
  return {
    account_number: '6173678',
    generated_at: DEMO_NOW.toString(),
    billing_history: billingHistory(bills),
    invoices: bills.toReversed(),
    preview: { ...bill(running, bills.length, DEMO_NOW), updated_at: DEMO_NOW.toString() },
    ...inventoryNow(),
  }
}

export function totalOf(items: readonly { amount: string }[]): string {
  return fixed(sum(items.map((item) => decimal(item.amount))), 2)
}

function closedMonths(): Period[] {
  const months: Period[] = []
  let month = monthOf(FIRST_MONTH)
  while (Temporal.Instant.compare(instantsOf(month, 'UTC').end, DEMO_NOW) <= 0) {
    months.push(month)
    month = monthOf(month.end)
  }
  return months
}

/** The bill of a month, as far as `until`. */
function bill(month: Period, index: number, until: Temporal.Instant): AccountInvoice {
  const window = { start: instantsOf(month, 'UTC').start, end: until }
  const period = monthLabel(month)
  const net = [
    ...rentals().flatMap((rental) => rentalItem(rental, window)),
    ...ONE_OFFS.filter((oneOff) => oneOff.period === period).map(oneOffItem),
  ]
  return {
    invoice_uuid: uuidOf(`invoice ${period}`),
    invoice_id: String(FIRST_INVOICE_NUMBER + BigInt(index)),
    invoice_period: period,
    items: [...net, taxItem(net, window)],
  }
}

type Rental = {
  item: Pick<WireItem, 'product' | 'group_description' | 'description' | 'project_name' | 'category'>
  resource?: { resource_id: string } | { resource_uuid: string }
  price: Decimal
  from: string
  to: string | null
}

function rentals(): Rental[] {
  return [
    ...DROPLETS.flatMap(dropletRentals),
    ...VOLUMES.map(volumeRental),
    ...SNAPSHOTS.map(snapshotRental),
    ...DATABASES.map(databaseRental),
    ...LOAD_BALANCERS.map(loadBalancerRental),
    ...serviceRentals(),
  ]
}

function dropletRentals(droplet: RentedDroplet): Rental[] {
  return droplet.sizes.map(({ slug, from, to }) => ({
    item: {
      product: droplet.gpu ? 'GPU Droplets' : 'Droplets',
      group_description: '',
      description: `${droplet.name} (${slug})`,
      project_name: droplet.project ?? '',
      category: 'iaas',
    },
    ...(droplet.id_on_bill && { resource: { resource_id: String(droplet.id) } }),
    price: decimal(SIZES[slug].price),
    from,
    to,
  }))
}

function volumeRental(volume: RentedVolume): Rental {
  return {
    item: {
      product: 'Volumes',
      group_description: '',
      description: `${volume.name} (${REGION}) ${volume.size_gigabytes}GB`,
      project_name: volume.project,
      category: 'iaas',
    },
    ...(volume.id_on_bill && { resource: { resource_uuid: volumeId(volume) } }),
    price: decimal(VOLUME_PRICE_PER_GIGABYTE).times(decimal(BigInt(volume.size_gigabytes))),
    from: volume.from,
    to: volume.to,
  }
}

function snapshotRental({ name, of, size_gigabytes, from }: RentedSnapshot): Rental {
  const product = of.kind === 'droplet' ? 'Droplet Snapshot' : 'Volume Snapshot'
  return {
    item: {
      product: `${product}s`,
      group_description: '',
      description: `${name} (${REGION}) ${size_gigabytes}GB ${product}`,
      project_name: '',
      category: 'iaas',
    },
    price: decimal(SNAPSHOT_PRICE_PER_GIGABYTE).times(decimal(size_gigabytes)),
    from,
    to: null,
  }
}

function databaseRental({ name, description, project, price, from }: RentedDatabase): Rental {
  return {
    item: {
      product: 'Database Clusters',
      group_description: name,
      description,
      project_name: project,
      category: 'paas',
    },
    price: decimal(price),
    from,
    to: null,
  }
}

function loadBalancerRental({ name, project, price, from }: RentedLoadBalancer): Rental {
  return {
    item: {
      product: 'Load Balancers',
      group_description: '',
      description: `${name} (${REGION})`,
      project_name: project,
      category: 'paas',
    },
    price: decimal(price),
    from,
    to: null,
  }
}

function serviceRentals(): Rental[] {
  return SERVICES.map(({ product, group, description, project, category, price, from, to }) => ({
    item: { product, group_description: group ?? '', description, project_name: project ?? '', category },
    price: decimal(price),
    from,
    to,
  }))
}

function rentalItem(rental: Rental, window: Window): WireItem[] {
  const life = {
    start: Temporal.Instant.from(rental.from),
    end: rental.to === null ? null : Temporal.Instant.from(rental.to),
  }
  const seconds = secondsWithin(window, life)
  if (seconds === 0n) return []
  const hours = round(decimal(seconds).div(decimal('3600')), 4)
  const end = earlierInstant(life.end ?? window.end, window.end)
  return [
    {
      ...rental.item,
      ...rental.resource,
      amount: fixed(share(rental.price, smaller(hours, decimal(CAP_HOURS)), decimal(CAP_HOURS)), 2),
      duration: plain(hours),
      duration_unit: 'Hours',
      start_time: laterInstant(life.start, window.start).toString(),
      end_time: rental.item.product === 'Volumes' ? lastSecond(end) : end.toString(),
    },
  ]
}

function oneOffItem(oneOff: OneOff): WireItem {
  const { product, description, amount, start, end } = oneOff
  return {
    product,
    group_description: '',
    description,
    amount,
    duration: oneOff.duration ?? '',
    duration_unit: oneOff.duration_unit ?? '',
    start_time: start,
    end_time: product === 'Credits' ? lastSecond(Temporal.Instant.from(end)) : end,
    project_name: '',
    category: product === 'Credits' ? '' : 'iaas',
  }
}

function taxItem(net: readonly WireItem[], window: Window): WireItem {
  return {
    product: 'Taxes',
    group_description: '',
    description: 'GST Australia (10%)',
    amount: fixed(decimal(totalOf(net)).times(TAX_RATE), 2),
    duration: '',
    duration_unit: '',
    start_time: window.start.toString(),
    end_time: lastSecond(window.end),
    project_name: '',
    category: 'iaas',
  }
}

/** Volumes, taxes and credits end at 23:59:59 on a real bill, droplets at the next midnight. */
function lastSecond(end: Temporal.Instant): string {
  const isMidnight = end.toZonedDateTimeISO('UTC').toPlainTime().equals(Temporal.PlainTime.from('00:00:00'))
  return (isMidnight ? end.subtract({ seconds: 1 }) : end).toString()
}

/** Every bill but the last is paid; the rest of the entries cancel each other, so that what is left is that bill. */
function billingHistory(bills: readonly AccountInvoice[]): WireBillingEntry[] {
  const invoices = bills.map(invoiceEntry)
  const payments = bills.slice(0, -1).map(paymentEntry)
  return [...invoices, ...payments, ...OTHER_ENTRIES].toSorted((a, b) => b.date.localeCompare(a.date))
}

const OTHER_ENTRIES: readonly WireBillingEntry[] = [
  { type: 'Credit', date: '2023-03-14T06:05:00Z', amount: '-25.00', description: 'Promotional credit' },
  {
    type: 'CreditExpiration',
    date: '2023-05-14T06:05:00Z',
    amount: '25.00',
    description: 'Promotional credit expired',
  },
  {
    type: 'AttemptFailed',
    date: '2023-10-02T08:44:38Z',
    amount: '0.00',
    description: 'Payment attempt failed (MC 2018)',
  },
  { type: 'ACHFailure', date: '2024-02-05T08:44:38Z', amount: '9.90', description: 'Bank transfer returned' },
  { type: 'Payment', date: '2024-02-06T08:44:38Z', amount: '-9.90', description: 'Payment (MC 2018)' },
  { type: 'Adjustment', date: '2024-09-10T08:44:38Z', amount: '-5.00', description: 'Service level adjustment' },
  { type: 'Refund', date: '2024-09-12T08:44:38Z', amount: '5.00', description: 'Refund to card' },
  { type: 'Chargeback', date: '2025-05-20T08:44:38Z', amount: '12.00', description: 'Payment charged back' },
  { type: 'Reversal', date: '2025-05-27T08:44:38Z', amount: '-12.00', description: 'Chargeback reversed' },
]

function invoiceEntry(invoice: AccountInvoice): WireBillingEntry {
  const { invoice_id, invoice_uuid, invoice_period } = invoice
  const description = `Invoice for ${invoice_period}`
  return {
    type: 'Invoice',
    date: dayAfter(invoice, 1),
    amount: totalOf(invoice.items),
    description,
    invoice_id,
    invoice_uuid,
  }
}

function paymentEntry(invoice: AccountInvoice): WireBillingEntry {
  const amount = fixed(decimal(totalOf(invoice.items)).neg(), 2)
  return { type: 'Payment', date: dayAfter(invoice, 3), amount, description: 'Payment (MC 2018)' }
}

/** A day of the month that follows the billed one. */
function dayAfter(invoice: AccountInvoice, day: number): string {
  const month = Temporal.PlainYearMonth.from(invoice.invoice_period).add({ months: 1 })
  return `${month.toPlainDate({ day }).toString()}T08:44:38Z`
}
