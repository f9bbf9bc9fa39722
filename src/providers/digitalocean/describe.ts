import { isIP } from 'node:net'
import type { BillLine } from '../bill-line.ts'
import type { InvoiceItem } from './item.ts'
import { ADJUSTMENT, CREDIT, findProduct, type Product, TAX, unclassified } from './products.ts'

/**
 * One row of a bill, classified by its product and its texts. The same row gives the same line whether it came as
 * JSON or as CSV; only the JSON names resources by id, and may name a unit that the CSV does not.
 */
export function toBillLine(untrimmed: InvoiceItem): BillLine {
  const item = trimmed(untrimmed)
  const { product, named } = classify(item)
  return {
    kind: product.kind,
    charge_category: product.charge_category,
    service_category: product.service_category,
    service_name: product.service_name,
    product: item.product,
    group_description: item.group_description,
    description: item.description,
    amount: item.amount,
    quantity: item.duration,
    unit: item.duration === null ? null : (item.duration_unit ?? unitOf(product)),
    start: item.start,
    end: item.end,
    project: item.project_name,
    external_resource_id: item.resource_id,
    external_resource_uuid: item.resource_uuid,
    resource_name: named.resource_name,
    region: named.region,
    extra: item.category === null ? item.extra : { ...item.extra, category: item.category },
  }
}

/** A CSV may lose the blanks around a text, and cannot tell a blank text from none. */
function trimmed(item: InvoiceItem): InvoiceItem {
  return {
    ...item,
    product: item.product.trim(),
    group_description: item.group_description?.trim() || null,
    description: item.description.trim(),
    project_name: item.project_name?.trim() || null,
    category: item.category?.trim() || null,
  }
}

type Named = { readonly resource_name: string | null; readonly region: string | null }

type Classification = { readonly product: Product; readonly named: Named }

const NO_RESOURCE: Named = { resource_name: null, region: null }

/**
 * Tax is the product, or a word of tax in a description that names no resource. A negative amount is a credit or an
 * adjustment where a word says so; else it stays what its product is. A negative amount of a product nobody has seen
 * is an adjustment: unlike a credit, that is shown as unmatched until somebody looks at it.
 */
function classify(item: InvoiceItem): Classification {
  const known = findProduct(item.product)
  const product = known ?? unclassified(item.product)
  const named = readResource(product, item)
  if (product === TAX || (named.resource_name === null && TAX_WORD.test(item.description))) {
    return { product: TAX, named: NO_RESOURCE }
  }
  if (product === CREDIT || product === ADJUSTMENT) return { product, named }
  const compensation = readCompensation(item)
  if (compensation !== undefined) {
    const { charge_category } = compensation
    return { product: known ? { ...known, charge_category } : compensation, named: NO_RESOURCE }
  }
  const { charge_category } = known === undefined && isNegative(item) ? ADJUSTMENT : product
  return { product: { ...product, charge_category }, named }
}

function readCompensation(item: InvoiceItem): Product | undefined {
  if (!isNegative(item) || showsResource(item)) return undefined
  const text = `${item.product} ${item.description}`
  if (ADJUSTMENT_WORD.test(text)) return ADJUSTMENT
  return CREDIT_WORD.test(text) ? CREDIT : undefined
}

function isNegative({ amount }: InvoiceItem): boolean {
  return amount.startsWith('-')
}

/** Not part of a host name or a slug: `tax.example.com` and `vat-01` are names. */
const TAX_WORD = aWordAlone('GST|VAT|tax')
const CREDIT_WORD = aWordAlone('credits?|vouchers?|promotional|coupons?')
const ADJUSTMENT_WORD = aWordAlone('adjustments?|adjusted|refunds?|refunded|corrections?|reversals?')

function aWordAlone(words: string): RegExp {
  return new RegExp(`(?<![\\w.-])(?:${words})(?![\\w-]|\\.\\w)`, 'i')
}

/** The provider's column is named `hours`, but backups are counted in it. */
function unitOf(product: Product): string {
  return product.kind === 'backup' ? 'backups' : 'hours'
}

function readResource(product: Product, item: InvoiceItem): Named {
  switch (product.naming) {
    case 'none':
      return NO_RESOURCE
    case 'group':
      return item.group_description === null ? readName(item.description) : inGroup(item.group_description)
    case 'address':
      return readAddress(item.description)
    case 'snapshot':
      return readSnapshot(item.description)
    case 'if_shown':
      return readShown(item)
    case 'description':
      return readName(item.description)
  }
}

function inGroup(group: string): Named {
  return { resource_name: group, region: null }
}

/** Read from the right, because a name may hold commas and parentheses; the name alone where nothing follows it. */
function readName(description: string): Named {
  const [, name = description, inner = ''] = TRAILING_PARENTHESIS.exec(description) ?? []
  return { resource_name: name, region: REGION.test(inner) ? inner : null }
}

function readAddress(description: string): Named {
  const [, head = description, inner = ''] = TRAILING_PARENTHESIS.exec(description) ?? []
  const address = head.slice(head.lastIndexOf(' ') + 1)
  return { resource_name: isIP(address) === 0 ? null : address, region: REGION.test(inner) ? inner : null }
}

/** The digits are the moment it was taken; without them the name is that of what it was taken of. */
function readSnapshot(description: string): Named {
  const [, name, region = null] = SNAPSHOT.exec(description) ?? []
  return name === undefined
    ? readName(description)
    : { resource_name: name.replace(/-\d{10,}$/, ''), region: region !== null && REGION.test(region) ? region : null }
}

function readShown(item: InvoiceItem): Named {
  if (!showsResource(item)) return NO_RESOURCE
  return item.group_description === null ? readName(item.description) : inGroup(item.group_description)
}

function showsResource({ group_description, description }: InvoiceItem): boolean {
  const inner = TRAILING_PARENTHESIS.exec(description)?.[2]
  return group_description !== null || (inner !== undefined && (REGION.test(inner) || SIZE.test(inner)))
}

const TRAILING_PARENTHESIS = /^(.*\S)\s*\(([^()]*)\)\s*(?:\d+(?:\.\d+)?\s*[GT]i?B)?$/
const SNAPSHOT = /^(.*\S)\s*\(([^()]*)\)\s*\d+(?:\.\d+)?\s*[GT]i?B\b.*Snapshot$/
const REGION = /^[a-z]{3}\d$/
/** `s-1vcpu-2gb`, `gpu-h100x8-640gb`, `10 GiB`. */
const SIZE = /^(?:(?=.*\d)[a-z]+\d*(?:-[a-z0-9]+)+|\d+(?:\.\d+)?\s*[GT]i?B)$/
