import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

/**
 * What is read from now on is kept compiled, beside the template of the database, for the next command. A folder of the
 * program's own: one that others may write to would run what they put there. Where it cannot be written nothing is kept.
 */
enableCompileCache(join(import.meta.dirname, '../../.cache/compiled'))
