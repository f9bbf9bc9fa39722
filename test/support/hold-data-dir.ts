import { lockDataDir } from '../../src/platform/data-dir.ts'

/** A process that takes a data directory and keeps it until it is ended. Arguments: any command word, the directory. */
const [, , , dir] = process.argv
if (dir === undefined) throw new Error('name the directory')
await lockDataDir(dir)
process.stdout.write('held\n')
process.stdin.resume()
