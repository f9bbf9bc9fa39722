import { runBillBench } from './bill.ts'

/** `npm run bench -- <name>`: prints ratios, not times, and exits with 1 when one of them is too high. */
const BENCHES: Record<string, () => Promise<boolean>> = { bill: runBillBench }

const [name = ''] = process.argv.slice(2)
const run = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined
if (run === undefined) {
  console.error(`Which one? ${Object.keys(BENCHES).join(', ')}`)
  process.exitCode = 2
} else if (!(await run())) process.exitCode = 1
