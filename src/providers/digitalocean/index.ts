export type { Balance, BillingEntry, InvoiceSummary } from './answers.ts'
export { createDigitalOcean, type DigitalOcean, type DigitalOceanOptions, PREVIEW } from './client.ts'
export { toBillLine } from './describe.ts'
export {
  createInvoiceReader,
  isInvoiceHeader,
  parseInvoiceCsv,
  parseInvoiceFilename,
  REQUIRED_COLUMNS as INVOICE_COLUMNS,
} from './invoice-csv.ts'
export type { InvoiceItem } from './item.ts'
export { BACKUP_PLANS, CAP_HOURS, MINIMUM_KINDS, monthlyPrice, timeRule, WEEKLY_BACKUPS_MAX } from './price-book.ts'
