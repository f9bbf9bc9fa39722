import type { Rule, SourceFile } from './tidy.ts'

/** What the documents say of the tree: files, variables, commands, routes, metrics. */
export const DOCUMENT_RULES: readonly Rule[] = [
  {
    name: 'every file and heading that a document links to or names exists',
    check: (files) => documents(files).flatMap((file) => [...brokenLinks(file, files), ...missingFiles(file, files)]),
    planted: [
      { path: 'docs/a.md', text: '# A\n\nSee [b](b.md), [c](#nowhere) and `src/platform/nothing.ts`.' },
      { path: 'docs/b.md', text: '# B' },
    ],
  },
  {
    name: 'docs/configuration.md lists the variables that are read, with their defaults, and no other',
    check: (files) => {
      const config = files.find(({ path }) => path === 'src/config.ts')?.text ?? ''
      const text = files.find(({ path }) => path === 'docs/configuration.md')?.text ?? ''
      const read = new Set([...config.matchAll(/'([A-Z][A-Z_]{2,}[A-Z])'/g)].map(([, name = '']) => name))
      const listed = new Set([...text.matchAll(/`([A-Z][A-Z_]{3,})`/g)].map(([, name = '']) => name))
      const defaults = [...text.matchAll(/^\| `([A-Z_]+)` +\| `([^`]+)` +\|/gm)]
      return [
        ...[...read.symmetricDifference(listed)].map((name) => `${name} is only read, or only listed`),
        ...defaults.flatMap(([, name, value]) =>
          config.includes(`'${value}'`) ? [] : [`${name} has another default than ${value}`],
        ),
      ]
    },
    planted: [
      { path: 'src/config.ts', text: "text('HOST') ?? '127.0.0.1'" },
      { path: 'docs/configuration.md', text: '| `HOST` | `0.0.0.0` | where |' },
    ],
  },
  {
    name: 'every variable that a document names is read somewhere',
    check: (files) =>
      documents(files).flatMap(({ path, text }) =>
        [...text.matchAll(/\b(?:ARCADIA|DIGITALOCEAN|FINANCE|SKYAI)_[A-Z_]*[A-Z]\b/g)].flatMap(([name]) =>
          files.some((file) => file.path.endsWith('.ts') && file.text.includes(`'${name}'`))
            ? []
            : [`${path}: nothing reads ${name}`],
        ),
      ),
    planted: [{ path: 'docs/a.md', text: 'Set ARCADIA_COLOUR.' }],
  },
  {
    // `arcadia is ready` is a line of the log.
    name: 'every command that a document names exists',
    check: (files) => {
      const main = files.find(({ path }) => path === 'src/main.ts')?.text ?? ''
      const known = new Set([...main.matchAll(/\.command\('([\w-]+)'/g)].map(([, name = '']) => name))
      return documents(files).flatMap(({ path, text }) =>
        [...text.matchAll(/(?:^|[`(/]|-- )arcadia (?!is\b|has\b)([a-z][a-z-]*)/gm)].flatMap(([, name = '']) =>
          known.has(name) ? [] : [`${path}: there is no command ${name}`],
        ),
      )
    },
    planted: [
      { path: 'src/main.ts', text: "program.command('serve')" },
      { path: 'docs/a.md', text: 'Run `arcadia roll-up`.' },
    ],
  },
  {
    name: 'every route that a document names exists',
    check: (files) => {
      const document = files.find(({ path }) => path === 'docs/openapi.json')?.text ?? '{"paths":{}}'
      const { paths } = JSON.parse(document) as { paths: Record<string, Record<string, unknown>> }
      const known = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((m) => ({ m, path })))
      return documents(files).flatMap(({ path, text }) =>
        [...text.matchAll(/\b(GET|POST|PUT|PATCH|DELETE) (\/[\w/:.{}-]*\w)/g)].flatMap(
          ([named, method = '', to = '']) =>
            OPERATIONS.has(to) || known.some((route) => route.m === method.toLowerCase() && isAt(route.path, to))
              ? []
              : [`${path}: there is no ${named}`],
        ),
      )
    },
    planted: [
      { path: 'docs/openapi.json', text: '{"paths":{"/api/v1/tenants/{id}":{"get":{}}}}' },
      { path: 'docs/a.md', text: '`DELETE /tenants/:id`' },
    ],
  },
  {
    name: 'every log line and every check in the tables of docs/operations.md is said by the program',
    check: (files) => {
      const said = files.filter(({ path }) => /^src\/.*\.ts$/.test(path) && !path.endsWith('.test.ts'))
      const text = files.find(({ path }) => path === 'docs/operations.md')?.text ?? ''
      return [...text.matchAll(/^\| (?:log line|check) .*\n\| -.*\n((?:\|.*\n)+)/gm)]
        .flatMap(([, rows = '']) => [...rows.matchAll(/^\| `([^`]+)`/gm)])
        .flatMap(([, line = '']) =>
          said.some((file) => file.text.includes(`'${line}`) || file.text.includes(`\`${line}`))
            ? []
            : [`nothing says ${line}`],
        )
    },
    planted: [
      { path: 'docs/operations.md', text: '| log line | means |\n| -------- | ----- |\n| `all is lost` | it is |\n' },
    ],
  },
  {
    name: 'every metric that a document names is measured',
    check: (files) =>
      documents(files).flatMap(({ path, text }) =>
        [...text.matchAll(/\barcadia_(?!test_|process_|nodejs_)[a-z_]*[a-z]\b/g)].flatMap(([name]) => {
          const family = name.replace(/_(bucket|sum|count)$/, '')
          return files.some((file) => /^src\/.*\.ts$/.test(file.path) && file.text.includes(`'${family}'`))
            ? []
            : [`${path}: ${name} is not measured`]
        }),
      ),
    planted: [{ path: 'docs/a.md', text: '`arcadia_invoices_total`' }],
  },
]

/** Not in the API's document. */
const OPERATIONS = new Set(['/healthz', '/readyz', '/openapi.json', '/docs', '/metrics'])

function documents(files: readonly SourceFile[]): SourceFile[] {
  return files.filter(({ path }) => path.endsWith('.md'))
}

/** `:id`, `{id}` and a value stand for a parameter. */
function isAt(route: string, named: string): boolean {
  const [has, wants] = [route.replace('/api/v1/', '/').split('/'), named.replace('/api/v1/', '/').split('/')]
  return (
    has.length === wants.length &&
    has.every((part, index) => part === wants[index] || (/\{\w+\}/.test(part) && wants[index] !== ''))
  )
}

function brokenLinks({ path, text }: SourceFile, files: readonly SourceFile[]): string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return []
    const { pathname, hash } = new URL(link, `file:///${path}`)
    const target = files.find((file) => file.path === decodeURIComponent(pathname.slice(1)))
    if (target === undefined) return [`${path} links to ${link}, which is not there`]
    return hash === '' || anchorsOf(target.text).has(hash.slice(1)) ? [] : [`${path}: ${link} has no such heading`]
  })
}

/** As they are made of headings where documents are read. */
function anchorsOf(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/** Names with a folder, and of programs; what begins with a dot is not of the tree. Each may be short for a longer path. */
function missingFiles({ path, text }: SourceFile, files: readonly SourceFile[]): string[] {
  return [...withoutCode(text).matchAll(/`([^`\s]+)`/g)].flatMap(([, name = '']) => {
    const isFile = /^[\w@-][\w@.-]*(\/[\w@.-]+)*\.(ts|mjs|sql|md|json)$/.test(name) && /\/|\.(ts|mjs|sql)$/.test(name)
    const isFolder = /^\w[\w.-]*(\/[\w.-]+)*\/$/.test(name)
    if (!isFile && !isFolder) return []
    return files.some((file) => `/${file.path}`.includes(`/${name}`))
      ? []
      : [`${path} names ${name}, which is not there`]
  })
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '')
}
