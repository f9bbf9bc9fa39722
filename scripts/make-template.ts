import { systemClock } from '../src/platform/clock.ts'
import { makeTemplate } from '../src/platform/template.ts'

/** After `npm ci`: the first start and the tests begin with it. Without it they work too, and take seconds longer. */
try {
  await makeTemplate(systemClock.now())
} catch (error) {
  console.error(`No database to start from could be made beforehand (${String(error)}). The first start makes its own.`)
}
