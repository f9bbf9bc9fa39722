import type { Finding } from '../platform/audit.ts'
import { watched, withApi } from './connect.ts'
import { mark, print, printJson, printText, table } from './output.ts'

type Audit = { ok: boolean; invariants: Finding[] }

export async function runAuditCommand(options: { json?: true }): Promise<void> {
  const audit = await withApi((api) => watched(api, 'Auditing', (headers) => api.get<Audit>('/audit', headers)))
  if (options.json) printJson(audit)
  else {
    print(
      table(
        [
          { title: 'invariant', value: (finding) => finding.name },
          { title: '', value: (finding) => mark(finding.ok) },
          { title: 'promise', value: (finding) => finding.promise },
        ],
        audit.invariants,
      ),
    )
    for (const { name, violations } of audit.invariants.filter((finding) => !finding.ok)) {
      print(`\n${name}`)
      for (const violation of violations) printText(`  ${violation.subject}: ${violation.detail}`)
    }
  }
  if (!audit.ok) process.exitCode = 1
}
