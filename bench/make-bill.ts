import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { PROJECTS, RESOURCES } from './inventory.ts'

/**
 * `node bench/make-bill.ts <lines> <file>`: a bill of April 2026 in the provider's own format, in a process of its own,
 * so that the memory that it takes is not counted with that of reading it. The same for the same number of lines.
 */
const HEADER = 'product,group_description,description,hours,start,end,USD,project_name,category'
const END = '2026-05-01 00:00:00 +0000'
const LINES_PER_WRITE = 5_000
/** Of a thousand lines: names that must be quoted, and names that nobody bears. */
const QUOTED_PER_MILLE = 5
const UNKNOWN_PER_MILLE = 20

const [lines = '0', path = ''] = process.argv.slice(2)
await writeBill(Number(lines), path)

async function writeBill(count: number, to: string): Promise<void> {
  const file = createWriteStream(to)
  file.write(`${HEADER}\n`)
  for (let first = 0; first < count; first += LINES_PER_WRITE) {
    const rows = Array.from({ length: Math.min(LINES_PER_WRITE, count - first) }, (_, at) => rowOf(first + at, count))
    if (!file.write(rows.join(''))) await new Promise<void>((resolve) => file.once('drain', () => resolve()))
  }
  file.end()
  await finished(file)
}

/** The last two lines are tax and a credit; all others are about a resource, in an order that is not theirs. */
function rowOf(line: number, count: number): string {
  if (line === count - 1) return `Taxes,,GST (10%),,2026-04-01 00:00:00 +0000,2026-04-30 23:59:59 +0000,"$1,363.44",,\n`
  if (line === count - 2) return 'Credits,,Promotional credit,,,,-$25.00,,\n'
  const resource = (line * 7_919) % RESOURCES
  const hours = 1 + ((line * 31) % 672)
  const day = two(1 + (line % 28))
  const start = `2026-04-${day} ${two(line % 24)}:${two(line % 60)}:${two((line * 13) % 60)} +0000`
  const name = nameOf(line, resource)
  const [product, text] = describe(resource, name)
  const description = line % 1_000 < QUOTED_PER_MILLE ? `"${text}"` : text
  const amount = ((hours * 1_786) / 100_000).toFixed(2)
  return `${product},,${description},${hours},${start},${END},$${amount},project-${resource % PROJECTS},iaas\n`
}

function nameOf(line: number, resource: number): string {
  return line % 1_000 >= 1_000 - UNKNOWN_PER_MILLE ? `gone-${line}` : `node-${resource}`
}

/** As `inventory.ts` has them: volumes and load balancers among droplets, and backups that name their droplet. */
function describe(resource: number, name: string): [product: string, description: string] {
  switch (resource % 10) {
    case 0:
      return ['Volumes', `${name} (nyc1) 100GB`]
    case 1:
      return ['Load Balancers', `${name} (nyc1)`]
    case 2:
      return ['Droplet Backups', `${name} (Weekly Backup Services)`]
    default:
      return ['Droplets', `${name} (s-1vcpu-2gb)`]
  }
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
