import type { Edge } from '../../platform/edge.ts'
import type { App } from '../../platform/http.ts'
import { accountRoutes } from './account-routes.ts'
import { billRoutes } from './bill-routes.ts'
import type { CostsDeps } from './jobs.ts'
import { lineRoutes } from './line-routes.ts'
import { periodRoutes } from './period-routes.ts'
import { rateRoutes } from './rate-routes.ts'
import { ruleRoutes } from './rule-routes.ts'

export const costsRoutes =
  (edge: Edge, deps: CostsDeps) =>
  (app: App): void => {
    accountRoutes(edge, deps)(app)
    lineRoutes(edge)(app)
    billRoutes(edge, deps)(app)
    ruleRoutes(edge)(app)
    periodRoutes(edge)(app)
    rateRoutes(edge)(app)
  }
