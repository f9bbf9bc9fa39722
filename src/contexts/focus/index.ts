export { exportCost, exportInvoices, type FocusFile } from './export.ts'
export { focusRoutes } from './routes.ts'
