import { spawnSync } from 'node:child_process'
import { styleText } from 'node:util'
import { GATES } from './gates.ts'

/** Runs every gate, so that one pass shows all there is to mend. */
const failed = GATES.filter(({ name, command }) => {
  const [program, ...args] = command
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  const ok = status === 0
  console.log(`${ok ? styleText('green', 'ok    ') : styleText('red', 'FAILED')} ${name}`)
  if (!ok) console.log(`${stdout}${stderr}`)
  return !ok
})

if (failed.length > 0) {
  console.log(`\n${failed.length} of ${GATES.length} gates failed: ${failed.map((gate) => gate.name).join(', ')}`)
  process.exitCode = 1
}
