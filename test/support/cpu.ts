import { readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

/** What this process has used of the processor so far; on Linux with the programs that it started and that ended. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000_000 + endedChildrenSeconds()
}

/** `cutime` and `cstime`, the 16th and 17th field; the name before them may hold blanks. */
function endedChildrenSeconds(): number {
  if (process.platform !== 'linux') return 0
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND
}
