/** The example bodies of the API document, by the call that takes them. */

export type ExampleBody = {
  /** `POST /tenants/{id}`, and with the type of the body where that is not plain JSON. */
  call: string
  type: string
  examples: readonly unknown[]
}

/** Every JSON body of a document, whether it has examples or not. */
export function jsonBodies(document: { paths: object }): ExampleBody[] {
  return Object.entries<any>(document.paths).flatMap(([path, operations]) =>
    Object.entries<any>(operations).flatMap(([method, { requestBody }]) =>
      Object.entries<any>(requestBody?.content ?? {})
        .filter(([type]) => /[/+]json$/.test(type))
        .map(([type, media]) => ({
          call: [callOf(method, path), ...(type === PLAIN ? [] : [type])].join(' '),
          type,
          examples: examplesOf(media),
        })),
    ),
  )
}

/** Of one kind of body. */
export function examplesOf({ example, examples = {} }: any): unknown[] {
  return [...(example === undefined ? [] : [example]), ...Object.values<any>(examples).map(({ value }) => value)]
}

const PLAIN = 'application/json'

/** By name alone nobody knows what to write there. */
const TOLD_BY_EXAMPLE = new Set(['filename', 'group_by'])

/** Parameters of queries that have a form of their own and no example, as `GET /margin period`. */
export function unshownParameters(document: { paths: object }): string[] {
  return queryParameters(document)
    .filter(({ name, schema }) => schema.pattern !== undefined || TOLD_BY_EXAMPLE.has(name))
    .filter(({ example }) => example === undefined)
    .map(({ call, name }) => `${call} ${name}`)
}

export type Parameter = { call: string; name: string; required: boolean; schema: any; example?: string }

export function queryParameters(document: { paths: object }): Parameter[] {
  return Object.entries<any>(document.paths).flatMap(([path, operations]) =>
    Object.entries<any>(operations).flatMap(([method, { parameters = [] }]) =>
      parameters
        .filter((one: { in: string }) => one.in === 'query')
        .map((one: object) => ({ ...one, call: callOf(method, path) })),
    ),
  )
}

function callOf(method: string, path: string): string {
  return `${method.toUpperCase()} ${path.replace('/api/v1', '')}`
}

/** An example with the ids of what its `{tenant~slug}` stand for. */
export function withIds(example: unknown, deployments: ReadonlyMap<string, string>): unknown {
  return JSON.parse(JSON.stringify(example), (_name, value: unknown) => {
    const named = typeof value === 'string' ? /^\{([^{}]+~[^{}]+)\}$/.exec(value)?.[1] : undefined
    if (named === undefined) return value
    const id = deployments.get(named)
    if (id === undefined) throw new Error(`no deployment ${named}`)
    return id
  })
}
