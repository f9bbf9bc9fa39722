import { CONTEXTS } from '../src/contexts.ts'

/** The house rules that no off-the-shelf gate knows, as functions from the tree's files to what breaks them. */

export type SourceFile = { path: string; text: string }
export type Rule = {
  name: string
  check: (files: readonly SourceFile[]) => string[]
  /** A tree that breaks the rule, so that the rule is known to be able to fail. */
  planted: readonly SourceFile[]
}

const README_HEADINGS = ['## Owns', '## Does not own', '## Invariants', '## Why it is safe to run again']
const SCHEMAS: Record<string, string> = { 'llm-usage': 'llm_usage' }

/** Words that bring binary floating point or a second notion of time near money, and where each is allowed. */
const KEPT_OUT: { word: RegExp; allowed: readonly string[] }[] = [
  // The token library and the job queue's driver take `Date`s.
  { word: /\bnew Date\b|\bDate\.\w+|\binstanceof Date\b/, allowed: ['src/platform/auth.ts', 'src/platform/db.ts'] },
  { word: /\bTemporal\.Now\b/, allowed: ['src/platform/clock.ts'] },
  { word: /\bparseFloat\b/, allowed: [] },
  // Exact on a decimal, where it gives plain notation; the provider's one price that is a JSON number has whole cents,
  // and its sizes of copies are JSON numbers, too.
  { word: /\.toFixed\b/, allowed: ['src/kernel/decimal.ts', 'src/providers/digitalocean/resources.ts'] },
  { word: /\bMath\.random\b/, allowed: [] },
  // Locale data tells how an amount is usually written, not how many places it is posted with.
  { word: /\bIntl\.NumberFormat\b|supportedValuesOf\('currency'\)/, allowed: [] },
]

/** Vendor libraries and the only files that may import them. */
const VENDORS: Record<string, RegExp> = {
  '@electric-sql/pglite': /^src\/platform\/(db|template)\.ts$/,
  pg: /^src\/platform\/db\.ts$/,
  'pg-boss': /^src\/platform\/jobs\.ts$/,
  fastify: /^src\/platform\/(http|idempotency)\.ts$/,
  ky: /^src\/platform\/outbound\.ts$/,
  pino: /^src\/(platform\/(log|http)|app)\.ts$/,
  'prom-client': /^src\/platform\/metrics\.ts$/,
  jose: /^src\/(platform\/auth|providers\/finance\/client)\.ts$/,
  // Lists of codes and a distance between words: pure values, so the kernel may.
  'currency-codes': /^src\/kernel\/money\.ts$/,
  'iso-3166': /^src\/kernel\/country\.ts$/,
  'fastest-levenshtein': /^src\/kernel\/nearest\.ts$/,
  commander: /^src\/main\.ts$/,
  'close-with-grace': /^src\/cli\/serve\.ts$/,
}

export const RULES: readonly Rule[] = [
  {
    name: 'a context imports only contexts above it, and only their index.ts',
    check: (files) =>
      production(files).flatMap((file) =>
        importsOf(file).flatMap(({ target, line }) => {
          const [from, to] = [contextOf(file.path), contextOf(target)]
          if (to === undefined || from === to) return []
          if (from === undefined && !/^(src\/app|demo\/index)\.ts$/.test(file.path))
            return [`${file.path}:${line} is no context and imports ${target}`]
          if (!target.endsWith('/index.ts'))
            return [`${file.path}:${line} imports ${target}, which is private to ${to}`]
          if (from !== undefined && rankOf(to) >= rankOf(from))
            return [`${file.path}:${line} imports ${to}, which is not above ${from}`]
          return []
        }),
      ),
    planted: [
      { path: 'src/contexts/tenants/index.ts', text: "import { invoices } from '../invoicing/index.ts'" },
      { path: 'src/contexts/margin/index.ts', text: "import { rows } from '../costs/queries.ts'" },
      { path: 'src/platform/http.ts', text: "import { rows } from '../contexts/costs/index.ts'" },
      { path: 'src/cli/rollup.ts', text: "import { rows } from '../contexts/costs/index.ts'" },
    ],
  },
  {
    name: 'the kernel imports only itself; platform and providers import nothing above them',
    check: (files) =>
      production(files).flatMap((file) =>
        importsOf(file).flatMap(({ target, line }) => {
          const wrong =
            (file.path.startsWith('src/kernel/') && !target.startsWith('src/kernel/')) ||
            (file.path.startsWith('src/platform/') && /^(src\/(providers|contexts|cli)|demo|test)\//.test(target)) ||
            (file.path.startsWith('src/providers/') && /^(src\/(contexts|cli)|demo|test)\//.test(target)) ||
            (file.path.startsWith('src/contexts/') && /^(src\/cli|demo|test)\//.test(target))
          return wrong ? [`${file.path}:${line} imports ${target}`] : []
        }),
      ),
    planted: [
      { path: 'src/kernel/money.ts', text: "import { log } from '../platform/log.ts'" },
      { path: 'src/platform/db.ts', text: "import { client } from '../providers/finance/index.ts'" },
      { path: 'src/providers/finance/client.ts', text: "import { demo } from '../../../demo/index.ts'" },
    ],
  },
  {
    name: 'each vendor library has one place that imports it',
    check: (files) =>
      production(files).flatMap((file) =>
        packagesOf(file).flatMap(({ name, line }) => {
          const allowed = Object.hasOwn(VENDORS, name) ? VENDORS[name] : undefined
          return allowed && file.path.startsWith('src/') && !allowed.test(file.path)
            ? [`${file.path}:${line} imports ${name}`]
            : []
        }),
      ),
    planted: [{ path: 'src/contexts/costs/queries.ts', text: "import pg from 'pg'" }],
  },
  {
    name: 'one writer per table, also in raw SQL',
    check: (files) =>
      production(files).flatMap((file) => {
        const own = contextOf(file.path) ?? (file.path.startsWith('src/platform/') ? 'platform' : undefined)
        if (!file.path.startsWith('src/')) return []
        return [
          ...withoutComments(file.text).matchAll(
            /\b(?:insert\s+into|update|delete\s+from|merge\s+into|truncate(?:\s+table)?)\s+([a-z_]+)\.([a-z_]+)/gi,
          ),
        ].flatMap((match) => {
          const schema = match[1] ?? ''
          const owned = own !== undefined && schema === (SCHEMAS[own] ?? own)
          return owned || !isSchema(schema) ? [] : [`${file.path}: writes ${schema}.${match[2]}`]
        })
      }),
    planted: [
      { path: 'src/contexts/margin/queries.ts', text: 'await sql`update costs.cost_line set amount = 0`.execute(tx)' },
    ],
  },
  {
    name: 'only config.ts reads the environment',
    check: (files) => scan(production(files), /\bprocess\.env\b/, ['src/config.ts']),
    planted: [{ path: 'src/contexts/costs/jobs.ts', text: "const token = process.env['DIGITALOCEAN_TOKEN']" }],
  },
  {
    name: 'no floats, no Date, no other clock and no locale data near money',
    check: (files) => KEPT_OUT.flatMap(({ word, allowed }) => scan(production(files), word, allowed)),
    planted: [
      { path: 'src/kernel/money.ts', text: 'const now = new Date()' },
      { path: 'src/contexts/costs/queries.ts', text: 'const amount = parseFloat(text)' },
      { path: 'src/contexts/invoicing/rollup.ts', text: 'return total.toFixed(2)' },
      { path: 'src/contexts/pricing/line.ts', text: "new Intl.NumberFormat('en', { style: 'currency', currency })" },
      { path: 'src/contexts/invoicing/issue.ts', text: 'const issued_at = Temporal.Now.instant()' },
    ],
  },
  {
    name: 'only routes, jobs and what a command runs open a transaction',
    check: (files) =>
      scan(
        production(files).filter((file) => file.path.startsWith('src/contexts/')),
        /\.transaction\(/,
        production(files)
          .map((file) => file.path)
          .filter((path) => /\/([\w-]+-routes|routes|jobs|sync|import|push|rollup|edge)\.ts$/.test(path)),
      ),
    planted: [{ path: 'src/contexts/costs/queries.ts', text: 'await db.transaction(async (tx) => tx)' }],
  },
  {
    name: 'each context has a README with its four headings',
    check: (files) =>
      CONTEXTS.flatMap((name) => {
        const path = `src/contexts/${name}/README.md`
        const text = files.find((file) => file.path === path)?.text
        if (text === undefined) return [`${path} is missing`]
        return README_HEADINGS.filter((heading) => !text.split('\n').includes(heading)).map(
          (heading) => `${path} lacks "${heading}"`,
        )
      }),
    planted: CONTEXTS.map((name) => ({
      path: `src/contexts/${name}/README.md`,
      text: README_HEADINGS.filter((heading) => name !== 'costs' || heading !== '## Invariants').join('\n'),
    })),
  },
  {
    name: 'every context is in the list, and the list names no other',
    check: (files) => {
      const found = new Set(files.flatMap((file) => contextOf(file.path) ?? []))
      const listed = new Set<string>(CONTEXTS)
      return [...found.symmetricDifference(listed)].map((name) => `src/contexts.ts and src/contexts/${name} disagree`)
    },
    planted: [{ path: 'src/contexts/billing/index.ts', text: '' }],
  },
  {
    name: 'dependencies have exact versions, and the lock file names no host to fetch them from',
    check: (files) =>
      files.flatMap(({ path, text }) => {
        if (path === 'package-lock.json')
          return /"resolved"/.test(text) ? [`${path} names where packages come from`] : []
        if (path !== 'package.json') return []
        const { dependencies = {}, devDependencies = {} } = JSON.parse(text) as Record<string, Record<string, string>>
        return Object.entries({ ...dependencies, ...devDependencies })
          .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
          .map(([name, version]) => `${path}: ${name} is ${version}`)
      }),
    planted: [
      { path: 'package.json', text: '{"dependencies":{"pg":"^8.0.0"}}' },
      { path: 'package-lock.json', text: '{"resolved":"x"}' },
    ],
  },
  {
    name: 'nothing is left open in the code',
    check: (files) => scan(production(files), /\b(TODO|FIXME|XXX|HACK)\b/, [], (text) => text),
    planted: [{ path: 'src/contexts/costs/queries.ts', text: '// TODO later' }],
  },
]

/** What runs in production: not the tests, not their fixtures. */
function production(files: readonly SourceFile[]): SourceFile[] {
  return files.filter((file) => /^(src|demo)\/.*\.ts$/.test(file.path) && !/\.(test|fixture)\.ts$/.test(file.path))
}

function contextOf(path: string): string | undefined {
  return /^src\/contexts\/([^/]+)\//.exec(path)?.[1]
}

function rankOf(context: string): number {
  return (CONTEXTS as readonly string[]).indexOf(context)
}

function isSchema(name: string): boolean {
  return name === 'platform' || CONTEXTS.some((context) => (SCHEMAS[context] ?? context) === name)
}

function importsOf(file: SourceFile): { target: string; line: number }[] {
  return specifiersOf(file)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier, line }) => ({ target: new URL(specifier, `file:///${file.path}`).pathname.slice(1), line }))
}

function packagesOf(file: SourceFile): { name: string; line: number }[] {
  return specifiersOf(file)
    .filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
    .map(({ specifier, line }) => ({
      name: specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/'),
      line,
    }))
}

function specifiersOf({ text }: SourceFile): { specifier: string; line: number }[] {
  return [...text.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\()'([^']+)'/g)].map((match) => ({
    specifier: match[1] ?? '',
    line: lineOf(text, match.index),
  }))
}

function scan(
  files: readonly SourceFile[],
  word: RegExp,
  allowed: readonly string[],
  prepare = withoutComments,
): string[] {
  return files
    .filter((file) => !allowed.includes(file.path))
    .flatMap((file) => {
      const text = prepare(file.text)
      const found = word.exec(text)
      return found ? [`${file.path}:${lineOf(text, found.index)} has ${found[0]}`] : []
    })
}

/** Comments are blanked, lines kept. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, ' '))
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
