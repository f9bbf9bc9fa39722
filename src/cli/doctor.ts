import { withApi } from './connect.ts'
import { heading, mark, print, printJson, table } from './output.ts'

/** As `GET /doctor` answers. */
type Report = {
  ok: boolean
  checks: { name: string; ok: boolean; detail: string }[]
  queues: { name: string; queued: number; active: number; failed: number }[]
  runs: { name: string; started_at: string; outcome: string; detail: string | null }[]
}

export async function runDoctor(options: { json?: true }): Promise<void> {
  const report = await withApi((api) => api.get<Report>('/doctor'))
  if (options.json) printJson(report)
  else {
    print(heading('Configuration and schema'))
    print(
      table(
        [
          { title: 'check', value: (check) => check.name },
          { title: '', value: (check) => mark(check.ok) },
          { title: 'detail', value: (check) => check.detail },
        ],
        report.checks,
      ),
    )
    print(heading('Queues'))
    print(
      table(
        [
          { title: 'job', value: (queue) => queue.name },
          { title: 'waiting', align: 'right', value: (queue) => String(queue.queued) },
          { title: 'running', align: 'right', value: (queue) => String(queue.active) },
          { title: 'failed', align: 'right', value: (queue) => String(queue.failed) },
        ],
        report.queues,
      ),
    )
    print(heading('Last runs'))
    print(
      report.runs.length === 0
        ? 'No job has run yet.'
        : table(
            [
              { title: 'job', value: (run) => run.name },
              { title: 'started', value: (run) => run.started_at.replace(/\.\d+/, '') },
              { title: 'outcome', value: (run) => run.outcome },
              { title: 'detail', value: (run) => run.detail ?? '' },
            ],
            report.runs,
          ),
    )
  }
  if (!report.ok) process.exitCode = 1
}
