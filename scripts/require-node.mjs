// Run by whatever Node `npm ci` leaves first on the path, and so plain JavaScript.
import { readFileSync } from 'node:fs'

const { optionalDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const [wanted] = Object.values(optionalDependencies)
const major = (version) => Number(version.split('.')[0])

if (major(process.versions.node) < major(wanted)) {
  console.error(
    `arcadia-cloud runs on Node ${major(wanted)}, and here is Node ${process.versions.node} (${process.platform} ${process.arch}).\n` +
      'It comes along as a package for Linux and macOS on x64 and arm64, and is not there: either optional\n' +
      `packages were left out (install with --include=optional), or this machine has none. Install Node ${major(wanted)} and try again.`,
  )
  process.exitCode = 1
}
