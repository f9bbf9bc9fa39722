export { invoicingInvariants } from './invariants.ts'
export { invoicingJobs } from './jobs.ts'
export { rollup } from './rollup.ts'
export { type InvoicingDeps, invoicingRoutes } from './routes.ts'
