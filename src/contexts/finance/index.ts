export { queueBill, queueInvoice } from './commands.ts'
export { invariants as financeInvariants } from './invariants.ts'
export { type FinanceDeps, financeJobs, pushDue } from './jobs.ts'
export { financeRoutes } from './routes.ts'
