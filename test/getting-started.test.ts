import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { PATIENCE_MS } from './support/patience.ts'

// docs/getting-started.md: each block `sh` is run, and the block below it is what comes out.

const { PATH, NODE_COMPILE_CACHE } = process.env
const ROOT = fileURLToPath(new URL('../', import.meta.url))
const GUIDE = `${ROOT}docs/getting-started.md`
const SERVER = 'arcadia serve'
const URL_OF_THE_GUIDE = 'http://127.0.0.1:4000'
const POLL_MS = 50

type Step = { title: string; command: string; shown: { language: string; text: string } | undefined }

const steps = readSteps(await readFile(GUIDE, 'utf8'))

describe('the first day', { timeout: PATIENCE_MS, skip: missingTools() }, () => {
  let dir: string
  let shell: Shell
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'arcadia-first-'))
    shell = openShell(dir)
  })
  after(async () => {
    await shell.close()
    await rm(dir, { recursive: true, force: true })
  })

  let url = URL_OF_THE_GUIDE
  // A later command needs what an earlier one has made.
  let broken = false
  for (const [index, { title, command, shown }] of steps.entries()) {
    test(`${index + 1}. ${title}: ${firstLine(command)}`, async (context) => {
      if (broken) return context.skip('an earlier command failed')
      broken = true
      if (command === SERVER) {
        const lines = await startServer(shell, dir)
        url = String(present(lines.find(({ url: found }) => found !== undefined)).url)
        const messages = lines.map(({ msg }) => msg)
        for (const line of shown?.text.split('\n') ?? [])
          assert.ok(
            messages.some((message) => line.includes(message)),
            `not logged: ${line}`,
          )
      } else compare(await shell.run(command.replaceAll(URL_OF_THE_GUIDE, url)), shown)
      broken = false
    })
  }
})

test('what is shown below a command differs from another output', () => {
  const text = { language: 'text', text: 'a … c' }
  compare('a b c\n', text)
  assert.throws(() => compare('a b d\n', text))
  const json = { language: 'json', text: '{"data":[{"id":"…","amount":"5"}]}' }
  compare('{"data":[{"id":"x","amount":"5","more":1}],"next_cursor":null}', json)
  for (const other of ['{"data":[{"id":"x","amount":"6"}]}', '{"data":[]}', '{"data":[{"id":1,"amount":"5"}]}', ''])
    assert.throws(() => compare(other, json), other)
})

function readSteps(guide: string): Step[] {
  const blocks = [...guide.matchAll(/^```(\w*)\n(.*?)\n```$/gms)].map((match) => ({
    language: match[1] ?? '',
    text: match[2] ?? '',
    title: [...guide.slice(0, match.index).matchAll(/^##+ (.*)$/gm)].at(-1)?.[1] ?? '',
  }))
  return blocks.flatMap(({ language, text, title }, index) => {
    if (language !== 'sh') return []
    const next = blocks[index + 1]
    const shown = next?.language === 'json' || next?.language === 'text' ? next : undefined
    return [{ title, command: text, shown }]
  })
}

/** JSON has at least the members that are shown, text is as it is shown; `…` is anything. */
function compare(output: string, shown: Step['shown']): void {
  if (shown?.language === 'json') assertHolds(JSON.parse(output), JSON.parse(shown.text), '')
  if (shown?.language === 'text') assert.match(output.trim(), patternOf(shown.text))
}

function assertHolds(found: unknown, shown: unknown, path: string): void {
  if (Array.isArray(shown)) {
    assert.ok(Array.isArray(found), `${path} is no list`)
    assert.equal(found.length, shown.length, `${path} has another length`)
    for (const [index, item] of shown.entries()) assertHolds(found[index], item, `${path}[${index}]`)
  } else if (shown !== null && typeof shown === 'object') {
    assert.ok(found !== null && typeof found === 'object', `${path} is no object`)
    for (const [name, value] of Object.entries(shown))
      assertHolds((found as Record<string, unknown>)[name], value, `${path}.${name}`)
  } else if (typeof shown === 'string') {
    assert.ok(typeof found === 'string', `${path} is no text`)
    assert.match(found, patternOf(shown), path)
  } else assert.equal(found, shown, path)
}

function patternOf(shown: string): RegExp {
  return new RegExp(`^${shown.split('…').map(RegExp.escape).join('.*')}$`, 's')
}

type Shell = { run(command: string): Promise<string>; close(): Promise<void> }

/** One shell for all commands, because what one sets another uses. What it starts ends with it. */
function openShell(dir: string): Shell {
  const child: ChildProcess = spawn('bash', ['--noprofile', '--norc'], {
    cwd: dir,
    detached: true,
    env: { PATH: `${ROOT}bin:${PATH}`, NODE_COMPILE_CACHE, PORT: '0', TMPDIR: dir },
  })
  const { stdin, stdout, stderr, pid } = child
  assert.ok(stdin && stdout && stderr && pid !== undefined)
  let [output, errors] = ['', '']
  stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const closed = once(child, 'close')
  let count = 0
  return {
    run: async (command) => {
      const end = new RegExp(`\\n<<${++count} (\\d+)>>\\n`)
      ;[output, errors] = ['', '']
      stdin.write(`${command}\nprintf '\\n<<%s %s>>\\n' ${count} $?\n`)
      for (;;) {
        const found = end.exec(output)
        if (found !== null) {
          const text = output.slice(0, found.index)
          assert.equal(found[1], '0', `${command}\n${text}\n${errors}`)
          return text
        }
        assert.equal(child.exitCode, null, `the shell ended:\n${errors}`)
        await pause(POLL_MS)
      }
    },
    close: async () => {
      process.kill(-pid, 'SIGKILL')
      await closed
    },
  }
}

type LogLine = { msg: string; url?: string }

async function startServer(shell: Shell, dir: string): Promise<LogLine[]> {
  const log = join(dir, 'serve.log')
  await shell.run(`${SERVER} 2> serve.log &`)
  for (;;) {
    const text = await readFile(log, 'utf8').catch(() => '')
    if (text.includes('only this machine'))
      return text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as LogLine)
    await shell.run('kill -0 $! || { cat serve.log >&2; false; }')
    await pause(POLL_MS)
  }
}

function missingTools(): string | false {
  try {
    execFileSync('bash', ['-c', 'command -v curl grep head cut'])
    return false
  } catch {
    return 'this machine has no bash with curl, grep, head and cut'
  }
}

function firstLine(command: string): string {
  return command.split('\n', 1)[0] ?? ''
}

function present<T>(value: T | undefined): T {
  assert.ok(value !== undefined)
  return value
}
