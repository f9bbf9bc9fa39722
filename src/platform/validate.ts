import { Ajv, type ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import { FORMATS } from './formats.ts'

/** Values with more parts than this are checked only up to their first fault. */
const ALL_FAULTS_MAX_VALUES = 1_000

export type Validator = { (data: unknown): boolean; errors?: NonNullable<ValidateFunction['errors']> | null }

/**
 * A validator stops at the first fault: looking for all of them in a large value that is wrong throughout would hold up
 * every other call. What is small and wrong is looked at again, for all that is wrong with it.
 */
export function createValidator({ coerceTypes }: { coerceTypes: boolean }): (schema: object) => Validator {
  const quick = compilerOf({ coerceTypes, allErrors: false })
  const thorough = compilerOf({ coerceTypes, allErrors: true })
  return (schema) => {
    const checkQuickly = quick.compile(schema)
    let checkWhole: ValidateFunction | undefined
    const check: Validator = (data) => {
      let checked = checkQuickly
      const fits = checkQuickly(data)
      if (!fits && hasAtMost(ALL_FAULTS_MAX_VALUES, data)) {
        checked = checkWhole ??= thorough.compile(schema)
        checked(data)
      }
      check.errors = checked.errors ?? null
      return fits
    }
    return check
  }
}

function compilerOf(options: { coerceTypes: boolean; allErrors: boolean }): Ajv {
  const ajv = new Ajv({
    ...options,
    removeAdditional: false,
    useDefaults: true,
    discriminator: true,
    strict: false,
    // A refusal names the alternatives of the schema.
    verbose: true,
    formats: FORMATS,
  })
  return ajvFormats.default(ajv)
}

function hasAtMost(values_max: number, data: unknown): boolean {
  const found = [data]
  for (let index = 0; index < found.length; index += 1) {
    const value = found[index]
    const inside: unknown[] = value !== null && typeof value === 'object' ? Object.values(value) : []
    if (found.length + inside.length > values_max) return false
    found.push(...inside)
  }
  return true
}
