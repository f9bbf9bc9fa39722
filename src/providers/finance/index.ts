export { createFinanceClient, type FinanceClient, type FinanceOptions, type ImportResult } from './client.ts'
export type { BillPayload, DocumentLine, TenantInvoicePayload } from './payload.ts'
