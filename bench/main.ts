import { runBillBench } from './bill.ts'
import { runQuoteBench } from './quote.ts'
import { runWhatIfBench } from './what-if.ts'

/** `npm run bench -- <name>`: prints ratios, not times, and exits with 1 when one of them is too high. */
const BENCHES: Record<string, (() => Promise<boolean>)[]> = {
  bill: [runBillBench],
  quote: [runQuoteBench, runWhatIfBench],
}

const [name = ''] = process.argv.slice(2)
const runs = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined
if (runs === undefined) {
  console.error(`Which one? ${Object.keys(BENCHES).join(', ')}`)
  process.exitCode = 2
} else {
  for (const run of runs) if (!(await run())) process.exitCode = 1
}
