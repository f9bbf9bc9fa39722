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
          call: [method.toUpperCase(), path.replace('/api/v1', ''), ...(type === PLAIN ? [] : [type])].join(' '),
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
