/** JSON text in which a bigint is an integer, whatever its size. */
export function stringifyJson(value: unknown, options: { indent?: number } = {}): string {
  return JSON.stringify(
    value,
    (_key, item: unknown) => (typeof item === 'bigint' ? JSON.rawJSON(item.toString()) : item),
    options.indent,
  )
}

// ECMAScript 2026, in the runtime but not yet in TypeScript's library.
declare global {
  interface JSON {
    rawJSON(text: string): unknown
  }
}
