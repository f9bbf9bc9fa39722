export { marginRoutes } from './routes.ts'
export { type WhatIf, whatIf } from './what-if.ts'
