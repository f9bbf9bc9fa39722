import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { FreeSpace } from './disk.ts'

export type Metrics = {
  requestFinished(labels: { method: string; route: string; status: number }, seconds: number): void
  jobFinished(name: string, outcome: string): void
  transactionRetried(reason: string): void
  /** Of the embedded database; a server looks after its own. */
  watchDisk(free_space: FreeSpace): void
  /** A figure by label, which is read when metrics are asked for, and then again after 15 minutes at the soonest. */
  gauge(named: { name: string; help: string; label: string }, read: () => Promise<ReadonlyMap<string, number>>): void
  text(): Promise<{ content_type: string; body: string }>
}

/** Figures are of whole months, and reading them takes a rollup's work. */
const GAUGE_MAX_AGE_MS = 15 * 60_000

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'arcadia_' })
  const requests = new Histogram({
    name: 'arcadia_http_request_duration_seconds',
    help: 'Time to answer, by route and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  })
  const jobs = new Counter({
    name: 'arcadia_jobs_total',
    help: 'Finished job runs, by name and outcome',
    labelNames: ['name', 'outcome'],
    registers: [registry],
  })
  const retries = new Counter({
    name: 'arcadia_transaction_retries_total',
    help: 'Transactions that were tried again, by reason',
    labelNames: ['reason'],
    registers: [registry],
  })
  return {
    requestFinished: ({ method, route, status }, seconds) => requests.observe({ method, route, status }, seconds),
    jobFinished: (name, outcome) => jobs.inc({ name, outcome }),
    transactionRetried: (reason) => retries.inc({ reason }),
    watchDisk: (free_space) => {
      const disk: Gauge = new Gauge({
        name: 'arcadia_database_disk_free_bytes',
        help: 'Free space where the embedded database is',
        registers: [registry],
        collect: () => disk.set(free_space()),
      })
    },
    gauge: ({ name, help, label }, read) => {
      let read_at_ms = -Infinity
      const gauge: Gauge = new Gauge({
        name,
        help,
        labelNames: [label],
        registers: [registry],
        collect: async () => {
          if (performance.now() - read_at_ms < GAUGE_MAX_AGE_MS) return
          gauge.reset()
          try {
            for (const [of, value] of await read()) gauge.set({ [label]: of }, value)
            read_at_ms = performance.now()
          } catch {
            // Without the figure, all others are still told: they matter most while the database is away.
          }
        },
      })
    },
    text: async () => ({ content_type: registry.contentType, body: await registry.metrics() }),
  }
}
