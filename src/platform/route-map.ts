import { meantBy } from '../kernel/nearest.ts'
import type { App } from './http.ts'

/** What a wrong method or a mistyped path is told. */
export type RouteMap = {
  /** The methods of the routes at the path; none where there is none. */
  readonly methodsAt: (path: string) => string[]
  /** A path that there is, and that is written most like it. */
  readonly nearestTo: (path: string) => string | undefined
}

const API = '/api/v1'
/** A path that names the API without its version, or with another one. */
const OTHER_API = /^\/api(?:\/v[0-9]+)?(?=\/)/

/** Learns the routes as they are added. */
export function createRouteMap(app: App): RouteMap {
  const methods = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method, schema }) => {
    if (!url.startsWith(API) && schema?.hide !== true) return
    const known = methods.get(url) ?? new Set()
    for (const one of [method].flat()) if (one !== 'HEAD') known.add(one)
    methods.set(url, known)
  })
  return {
    methodsAt: (path) => {
      const at = [...methods].filter(([url]) => filled(url, path) === path)
      return [...new Set(at.flatMap(([, known]) => [...known]))].toSorted()
    },
    nearestTo: (path) => {
      const paths = path.startsWith(API) ? [path] : [`${API}${path.replace(OTHER_API, '')}`, path]
      for (const one of paths) {
        const near = meantBy(
          one,
          [...methods.keys()].flatMap((url) => filled(url, one) ?? []),
        )
        if (near !== undefined) return near
      }
      return undefined
    },
  }
}

/** The route with the parts of the path in the place of its parameters; undefined where it has another number of parts. */
function filled(url: string, path: string): string | undefined {
  const [own, given] = [url.split('/'), path.split('/')]
  if (own.length !== given.length) return undefined
  return own.map((part, index) => (part.startsWith(':') ? suffixed(part, given[index] ?? '') : part)).join('/')
}

/** `:id.pdf` stands for what ends in `.pdf`. */
function suffixed(part: string, given: string): string {
  const [, suffix = ''] = part.split(/(?=\.)/)
  return given.endsWith(suffix) ? given : `${given}${suffix}`
}
