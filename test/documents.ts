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
      const config = textOf(files, 'src/config.ts')
      const text = textOf(files, 'docs/configuration.md')
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
    name: 'docs/configuration.md lists every job that comes by itself, and when',
    check: (files) => {
      const text = textOf(files, 'docs/configuration.md')
      return files
        .filter(({ path }) => /^src\/.*\/(jobs|audit)\.ts$/.test(path))
        .flatMap((file) => [...file.text.matchAll(/name: '([\w.-]+)',(?:(?!name: ').)*?schedule: '([^']+)'/gs)])
        .flatMap(([, name = '', cron = '']) => {
          const row = text.split('\n').find((line) => line.startsWith(`| \`${name}\``))
          return row?.includes(`| ${inWords(cron)}`) ? [] : [`${name} comes ${inWords(cron)}`]
        })
    },
    planted: [
      { path: 'src/contexts/costs/jobs.ts', text: "name: 'costs.count',\n schedule: '7 * * * *'" },
      { path: 'docs/configuration.md', text: '| `costs.count` | hourly at :08 |' },
    ],
  },
  {
    name: 'docs/glossary.md has every word that a field of the API can be',
    check: (files) => {
      const [document, text] = [textOf(files, 'docs/openapi.json') || '{}', textOf(files, 'docs/glossary.md')]
      const lists = [...document.matchAll(/"enum": ?\[([^\]]*)\]/g)].map(([, list = '']) => list)
      const words = new Set(lists.flatMap((list) => [...list.matchAll(/"([a-z_]+)"/g)].map(([, word = '']) => word)))
      return [...words].flatMap((word) => (text.includes(`\`${word}\``) ? [] : [`${word} is not explained`]))
    },
    planted: [
      { path: 'docs/openapi.json', text: '{"paths":{},"enum":["draft"]}' },
      { path: 'docs/glossary.md', text: '# Glossary' },
    ],
  },
  {
    name: 'docs/glossary.md has the words that the names of fields are made of',
    check: (files) => {
      const [document, text] = [
        textOf(files, 'docs/openapi.json') || '{}',
        textOf(files, 'docs/glossary.md').toLowerCase(),
      ]
      const parts = new Set(fieldsOf(JSON.parse(document)).flatMap((name) => name.split('_')))
      return [...parts].flatMap((part) =>
        text.includes(part.replace(/s$/, '')) ? [] : [`${part} is in no word of it`],
      )
    },
    planted: [
      { path: 'docs/openapi.json', text: '{"paths":{},"properties":{"colour_id":{"type":"string"}}}' },
      { path: 'docs/glossary.md', text: '# Glossary: id' },
    ],
  },
  {
    name: 'ARCHITECTURE.md names every file of the kernel and the platform',
    check: (files) => {
      const text = textOf(files, 'ARCHITECTURE.md')
      return files.flatMap(({ path }) => {
        const [, name] = /^src\/(?:kernel|platform)\/([\w-]+\.ts)$/.exec(path) ?? []
        return name === undefined || text.includes(`\`${name}\``) ? [] : [`${path} is not named`]
      })
    },
    planted: [
      { path: 'src/platform/magic.ts', text: '' },
      { path: 'ARCHITECTURE.md', text: '# Architecture' },
    ],
  },
  {
    name: 'docs/decisions.md names every dependency, in the version that is used where it says one',
    check: (files) => {
      const text = textOf(files, 'docs/decisions.md')
      const used = textOf(files, 'package.json') || '{}'
      const { dependencies = {}, devDependencies = {} } = JSON.parse(used) as Record<string, Record<string, string>>
      return Object.entries({ ...dependencies, ...devDependencies }).flatMap(([name, version]) => {
        if (name.startsWith('@types/')) return []
        if (!text.includes(`\`${name}\``)) return [`${name} is not named`]
        const [, said = version] = new RegExp(`\`${RegExp.escape(name)}\` (\\d[\\w.-]*)`).exec(text) ?? []
        return said === version ? [] : [`${name} is ${version}, not ${said}`]
      })
    },
    planted: [
      { path: 'package.json', text: '{"dependencies":{"pg":"8.23.1"}}' },
      { path: 'docs/decisions.md', text: '| `pg` 8.0.0 | the driver |' },
    ],
  },
  {
    // `arcadia is ready` is a line of the log.
    name: 'every command that a document names exists',
    check: (files) => {
      const main = textOf(files, 'src/main.ts')
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
      const document = textOf(files, 'docs/openapi.json') || '{"paths":{}}'
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
      const text = textOf(files, 'docs/operations.md')
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

/** The names of all properties of a document's schemas, without those of its examples. */
function fieldsOf(schema: unknown): string[] {
  if (schema === null || typeof schema !== 'object') return []
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key === 'example' || key === 'examples') return []
    const isNames =
      key === 'properties' &&
      value !== null &&
      typeof value === 'object' &&
      !('type' in value && typeof value.type === 'string')
    return [...(isNames ? Object.keys(value as object) : []), ...fieldsOf(value)]
  })
}

function textOf(files: readonly SourceFile[], path: string): string {
  return files.find((file) => file.path === path)?.text ?? ''
}

/** Of the schedules that there are. */
function inWords(cron: string): string {
  const [minute = '', hour = '', day] = cron.split(' ')
  const at = `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`
  if (minute.startsWith('*/')) return `every ${minute.slice(2)} minutes`
  if (hour === '*') return `hourly at :${minute.padStart(2, '0')}`
  return day === '*' ? `daily ${at}` : `on the ${day}st at ${at}`
}

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
