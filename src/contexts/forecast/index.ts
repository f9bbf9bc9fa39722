export { type Forecast, forecastOf } from './forecast.ts'
export { forecastRoutes } from './routes.ts'
