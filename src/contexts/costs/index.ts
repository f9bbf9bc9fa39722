export {
  COUNTS_IN_ITS_MONTH,
  countUnclassified,
  findProviderInvoices,
  listDifferingBills,
  type ProviderInvoiceRow,
} from './bill-queries.ts'
export { type ImportedBill, importBills, type Upload } from './import-bills.ts'
export { costsInvariants } from './invariants.ts'
export { type CostsDeps, costsJobs } from './jobs.ts'
export { matchLines } from './match-lines.ts'
export { previewMatches } from './preview.ts'
export { costsRoutes } from './routes.ts'
export { readPreview } from './sync.ts'
export { syncNow, type SyncProgress, type SyncSummary } from './sync-now.ts'
