import './cli/compile-cache.ts'
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { loadConfig } from './config.ts'
import { monthMeant } from './cli/month.ts'
import { endQuietlyOnClosedPipe, reportFailure } from './cli/output.ts'
import { dateIn, parseMonth } from './kernel/period.ts'
import { invalidInput } from './kernel/problem.ts'
import { clockOf } from './platform/clock.ts'

// What this program writes is about money: files, folders and uploads are their owner's alone.
process.umask(0o077)

const json = new Option('--json', 'print the report as JSON')
const is_json_asked_for = process.argv.includes('--json')

/** Shown by the help of a command, and below a command line that is refused. */
const EXAMPLES: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    serve: ['serve', 'serve --no-jobs'],
    work: ['work'],
    migrate: ['migrate'],
    demo: ['demo', 'demo --no-serve --json'],
    sync: ['sync'],
    import: ['import bill.csv --period 2026-10 --invoice-number 512', 'import part-1.csv.gz part-2.csv.gz'],
    expected: ['expected --period 2026-10'],
    rollup: ['rollup --period 2026-10', 'rollup --period 2026-10 --tenant acme --force'],
    export: ['export focus --period 2026-10 --output october.csv'],
    'what-if': ['what-if --plan studio --version 2 --from 2026-01 --to 2026-10'],
    token: ['token --role platform_admin', 'token --role tenant --tenant acme --ttl 8h'],
    audit: ['audit', 'audit --json'],
    doctor: ['doctor', 'doctor --json'],
  }),
)

const program = new Command('arcadia')
  .description('Provider bills, tenant invoices and the margin between them, exact to the cent.')
  .version('0.1.0')
  .showHelpAfterError()
  // `what-if --version 2` asks for a version of a plan.
  .enablePositionalOptions()
  .addHelpText('after', '\nConfiguration comes from the environment: see docs/configuration.md.')
// Before the commands, which take it over: what is wrong is thrown, and not written as text besides.
if (is_json_asked_for) program.exitOverride().configureOutput({ writeErr: () => {} })

program
  .command('serve')
  .description('serve the API and, unless told otherwise, work on the jobs')
  .option('--no-jobs', 'only the API; run `arcadia work` elsewhere')
  .action(run(async () => (await import('./cli/serve.ts')).runServe))
program
  .command('work')
  .description('work on the jobs only; run as many as you like')
  .action(run(async () => (await import('./cli/serve.ts')).runWork))
program
  .command('migrate')
  .description('bring the database schema up to date')
  .addOption(json)
  .action(run(async () => (await import('./cli/migrate.ts')).runMigrate))
program
  .command('demo')
  .description('a whole month of a made-up operator: bill in, usage in, invoices out, margin shown')
  .addOption(json)
  .option('--no-serve', 'stop after the report instead of serving the API')
  .action(run(async () => (await import('../demo/index.ts')).runDemo))
program
  .command('sync')
  .description("read the provider's inventory, balance and bills now")
  .addOption(json)
  .action(run(async () => (await import('./cli/sync.ts')).runSync))
program
  .command('import')
  .description('store bills from CSV files, of the provider or in FOCUS; their names may carry period and number')
  .argument('<files...>', 'the parts of one input, packed with gzip or not; - is standard input')
  .option('--provider <provider>', 'whose bill it is, where the file does not say it: digitalocean, another cloud')
  .option('--currency <code>', 'what it is in, where the file does not say it: USD')
  .option('--service-category <category>', 'of FOCUS, for the rows that do not say theirs: Compute')
  .option('--period <month>', 'the month that is billed, such as 2026-04', month('--period'))
  .option('--invoice-number <number>', 'the number printed on the bill')
  .option('--amount <amount>', 'what all lines come to, such as 24.00: another sum is refused')
  .option('--preview', 'the bill is not final: the next file of its month replaces it, as while the month runs')
  .option('--no-preview', 'the bill is final, though its month is not over')
  .addOption(json)
  .action(run(async () => (await import('./cli/import.ts')).runImport))
program
  .command('expected')
  .description('what a month is expected to cost, beside its bill')
  .requiredOption('--period <month>', 'the month, such as 2026-04', month('--period'))
  .addOption(json)
  .action(run(async () => (await import('./cli/expected.ts')).runExpected))
program
  .command('rollup')
  .description('write the invoices of a month that is over')
  .requiredOption('--period <month>', 'the month, such as 2026-04', month('--period'))
  .option('--tenant <id>', 'only this tenant')
  .option('--force', 'rebuild drafts; issued invoices are never changed')
  .addOption(json)
  .action(run(async () => (await import('./cli/rollup.ts')).runRollup))
program
  .command('export')
  .description('a month in an open format: the cost of the operator, or with --tenant what a tenant was invoiced')
  .addArgument(new Argument('<format>', 'focus: FOCUS 1.2, as CSV').choices(['focus']))
  .requiredOption('--period <month>', 'the month, such as 2026-04', month('--period'))
  .option('--tenant <id>', 'the issued invoices of this tenant')
  .option('--preview', 'also bills that are not issued yet')
  .option('--output <file>', 'where to write it; standard output otherwise')
  .action(run(async () => (await import('./cli/export.ts')).runExport))
program
  .command('what-if')
  .description('rate history under other prices: revenue and margin by tenant, now and then; nothing is stored')
  .requiredOption('--plan <code>', 'the plan whose subscriptions are rated')
  .requiredOption('--version <number>', 'the version of it that they are rated under; a draft will do', wholeNumber)
  .requiredOption('--from <month>', 'the first month, such as 2026-01', month('--from'))
  .requiredOption('--to <month>', 'the last month', month('--to'))
  .addOption(json)
  .action(run(async () => (await import('./cli/what-if.ts')).runWhatIf))
program
  .command('token')
  .description('make a token for the API')
  .requiredOption('--role <role>', 'platform_admin, gateway, meter or tenant')
  .option('--tenant <id>', 'the tenant that the token speaks for; of a gateway or a meter the only one it may send for')
  .option('--ttl <duration>', 'how long it is valid: 30m, 1h, 7d', '1h')
  .option('--subject <name>', 'who it is made for', 'arcadia-cli')
  .action(run(async () => (await import('./cli/token.ts')).runToken))
program
  .command('audit')
  .description('prove the invariants over everything stored; exits with 1 when one is broken')
  .addOption(json)
  .action(run(async () => (await import('./cli/audit.ts')).runAuditCommand))
program
  .command('doctor')
  .description('show configuration, schema, queues and last runs; exits with 1 when something needs attention')
  .addOption(json)
  .action(run(async () => (await import('./cli/doctor.ts')).runDoctor))

for (const command of program.commands) {
  const examples = EXAMPLES.get(command.name()) ?? []
  command.addHelpText('after', `\nExamples:\n${examples.map((example) => `  arcadia ${example}`).join('\n')}`)
}

endQuietlyOnClosedPipe(process.stdout)
try {
  await program.parseAsync()
} catch (error) {
  const is_help = error instanceof CommanderError && error.exitCode === 0
  // With --json standard output is one JSON document, whatever comes of it: the report, or why there is none.
  if (!is_help) reportFailure(refusalOf(error), { json: is_json_asked_for })
  if (!is_help) process.exitCode = 1
}

/** A command line that is wrong is refused like any other input, with one that is right. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error
  const [example = '--help'] = EXAMPLES.get(process.argv[2] ?? '') ?? []
  const said = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
  return invalidInput(`The command line is not valid: ${said.replace(/[^.?]$/, '$&.')} For example: arcadia ${example}`)
}

/** A command is read when it is called: help and refusals do not wait for the whole program. */
function run<A extends unknown[]>(read: () => Promise<(...given: A) => Promise<void>>): (...given: A) => Promise<void> {
  return async (...given) => (await read())(...given)
}

function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number above 0.')
  return Number(text)
}

function month(flag: string): (text: string) => string {
  return (text) => {
    if (parseMonth(text) !== undefined) return text
    const now = clockOf(loadConfig()).now()
    const meant = monthMeant(text, dateIn(now, 'UTC'))
    const hint = meant === undefined ? '' : ` Did you mean ${flag} ${meant}?`
    throw new InvalidArgumentError(`It must be a month such as 2026-10.${hint}`)
  }
}
