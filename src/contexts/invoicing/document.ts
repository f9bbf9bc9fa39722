import PdfDocument from 'pdfkit'
import { buffer } from 'node:stream/consumers'
import { formatMinor } from '../../kernel/money.ts'
import { dateIn } from '../../kernel/period.ts'
import { type Buyer, type Invoice, type InvoiceLine, owedCents, type Seller, settlementOf } from './invoice.ts'
import type { WholeInvoice } from './queries.ts'

type Pdf = InstanceType<typeof PdfDocument>

// Lengths in points (1/72 inch) on A4.
const MARGIN = 50
const PAGE_WIDTH = 595.28
const PAGE_BOTTOM = 780
const RIGHT = PAGE_WIDTH - MARGIN
const FONT_SIZE = 9
const ROW_GAP = 5
const FONT = 'Helvetica'
const BOLD = 'Helvetica-Bold'
const GREY = '#666666'
const RULE = '#bbbbbb'

type Column = { title: string; x: number; width: number; align: 'left' | 'right' }

const COLUMNS = {
  description: { title: 'Description', x: MARGIN, width: 190, align: 'left' },
  service: { title: 'Service period', x: 245, width: 115, align: 'left' },
  quantity: { title: 'Quantity', x: 365, width: 60, align: 'right' },
  unit_price: { title: 'Unit price', x: 430, width: 55, align: 'right' },
  amount: { title: 'Amount', x: 490, width: RIGHT - 490, align: 'right' },
} satisfies Record<string, Column>

/** The invoice as an A4 PDF. */
export async function renderInvoice(whole: WholeInvoice): Promise<Buffer> {
  const { invoice, timezone } = whole
  const pdf = new PdfDocument({
    size: 'A4',
    margin: MARGIN,
    info: {
      Title: `${titleOf(invoice)} ${invoice.number ?? ''}`.trim(),
      Author: invoice.seller.legal_name,
    },
  })
  const bytes = buffer(pdf)
  pdf.font(FONT).fontSize(FONT_SIZE)
  writeHeading(pdf, invoice, timezone)
  writeParties(pdf, invoice)
  writeLines(pdf, whole)
  writeTotals(pdf, whole)
  pdf.end()
  return bytes
}

/**
 * A supply taxed in Australia is billed by a tax invoice, which must say so.
 * Source: A New Tax System (Goods and Services Tax) Act 1999 (Australia), section 29-70.
 */
export function titleOf(invoice: Pick<Invoice, 'status' | 'tax' | 'buyer'>): string {
  const kind = invoice.tax.treatment === 'taxable' && invoice.buyer.country === 'AU' ? 'Tax invoice' : 'Invoice'
  if (invoice.status === 'draft') return `${kind} (draft)`
  return invoice.status === 'void' ? `${kind} (void)` : kind
}

function writeHeading(pdf: Pdf, invoice: Invoice, timezone: string): void {
  pdf.font(BOLD).fontSize(20).text(titleOf(invoice), MARGIN, MARGIN)
  pdf.font(FONT).fontSize(FONT_SIZE)
  const facts: [string, string][] = [
    ['Number', invoice.number ?? 'not issued'],
    ['Date', invoice.issued_at === null ? 'not issued' : dateIn(invoice.issued_at, timezone).toString()],
    ['Period', `${invoice.period_start} to ${invoice.period_end.subtract({ days: 1 })}`],
    ['Currency', invoice.currency],
  ]
  pdf.y = MARGIN
  for (const [name, value] of facts) {
    const { y } = pdf
    pdf.fillColor(GREY).text(name, 360, y, { width: 60 })
    pdf.fillColor('black').text(value, 420, y, { width: RIGHT - 420, align: 'right' })
  }
}

function writeParties(pdf: Pdf, { seller, buyer }: Invoice): void {
  const top = 130
  writeParty(pdf, { title: 'From', lines: sellerLines(seller), x: MARGIN, y: top })
  const sellerBottom = pdf.y
  writeParty(pdf, { title: 'To', lines: buyerLines(buyer), x: 320, y: top })
  pdf.y = Math.max(pdf.y, sellerBottom) + 25
}

function writeParty(pdf: Pdf, party: { title: string; lines: string[]; x: number; y: number }): void {
  const options = { width: 220 }
  pdf.fillColor(GREY).text(party.title, party.x, party.y, options)
  pdf.fillColor('black')
  for (const line of party.lines) pdf.text(line, party.x, pdf.y, options)
}

function sellerLines({ legal_name, abn, address }: Seller): string[] {
  return [legal_name, ...stated(address), ...stated(abn, 'ABN ')]
}

function buyerLines({ legal_name, address, country, email, tax_id }: Buyer): string[] {
  const tax_label = country === 'AU' ? 'ABN ' : 'Tax id '
  return [legal_name, ...stated(address), country, ...stated(email), ...stated(tax_id, tax_label)]
}

function stated(value: string | null, label = ''): string[] {
  return value === null ? [] : [`${label}${value}`]
}

function writeLines(pdf: Pdf, { invoice, lines }: WholeInvoice): void {
  writeTableHead(pdf)
  for (const line of lines.filter((line) => line.kind !== 'tax')) writeLine(pdf, line, invoice.currency)
}

function writeTableHead(pdf: Pdf): void {
  const { y } = pdf
  pdf.font(BOLD)
  for (const column of Object.values(COLUMNS)) writeCell(pdf, column, { text: column.title, y })
  pdf.font(FONT)
  pdf.y = y + FONT_SIZE + ROW_GAP
  writeRule(pdf, MARGIN)
}

function writeLine(pdf: Pdf, line: InvoiceLine, currency: string): void {
  const height = pdf.heightOfString(line.description, { width: COLUMNS.description.width })
  if (pdf.y + height > PAGE_BOTTOM) {
    pdf.addPage()
    writeTableHead(pdf)
  }
  const { y } = pdf
  const last_day = line.service_end.subtract({ days: 1 })
  writeCell(pdf, COLUMNS.description, { text: line.description, y })
  writeCell(pdf, COLUMNS.service, { text: `${line.service_start} to ${last_day}`, y })
  writeCell(pdf, COLUMNS.quantity, { text: line.quantity ?? '', y })
  writeCell(pdf, COLUMNS.unit_price, { text: line.unit_price ?? '', y })
  writeCell(pdf, COLUMNS.amount, { text: formatMinor(line.amount_cents, currency), y })
  pdf.y = y + Math.max(height, FONT_SIZE) + ROW_GAP
}

function writeCell(pdf: Pdf, { x, width, align }: Column, { text, y }: { text: string; y: number }): void {
  pdf.text(text, x, y, { width, align })
}

function writeTotals(pdf: Pdf, { invoice, lines, payments, credit_notes }: WholeInvoice): void {
  const settled = settlementOf(payments, credit_notes)
  const rows: [string, bigint][] = [
    ['Subtotal', invoice.subtotal_cents],
    ...lines
      .filter((line) => line.kind === 'tax')
      .map((line): [string, bigint] => [line.description, line.amount_cents]),
    [`Total ${invoice.currency}`, invoice.total_cents],
    ...(settled.paid_cents > 0n ? [['Paid', -settled.paid_cents] as [string, bigint]] : []),
    ...(settled.credited_cents > 0n ? [['Credited', -settled.credited_cents] as [string, bigint]] : []),
    ...(invoice.issued_at === null ? [] : [['Owed', owedCents(invoice, settled)] as [string, bigint]]),
  ]
  if (pdf.y + rows.length * (FONT_SIZE + ROW_GAP) > PAGE_BOTTOM) pdf.addPage()
  writeRule(pdf, COLUMNS.quantity.x)
  for (const [name, cents] of rows) writeTotal(pdf, name, formatMinor(cents, invoice.currency))
  if (invoice.tax.treatment === 'export' && invoice.tax_cents === 0n)
    pdf.fillColor(GREY).text('Export: no tax is charged.', MARGIN, pdf.y + ROW_GAP)
}

function writeTotal(pdf: Pdf, name: string, amount: string): void {
  const { y } = pdf
  pdf.font(name.startsWith('Total') ? BOLD : FONT)
  pdf.text(name, COLUMNS.quantity.x, y, { width: 120 })
  pdf.text(amount, COLUMNS.amount.x, y, { width: COLUMNS.amount.width, align: 'right' })
  pdf.font(FONT)
  pdf.y = y + FONT_SIZE + ROW_GAP
}

function writeRule(pdf: Pdf, from: number): void {
  pdf.moveTo(from, pdf.y).lineTo(RIGHT, pdf.y).strokeColor(RULE).stroke()
  pdf.y += ROW_GAP
}
