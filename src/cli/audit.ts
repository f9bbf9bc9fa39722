import { runAudit } from '../platform/audit.ts'
import { mark, print, printJson, progress, table } from './output.ts'
import { withApp } from './with-app.ts'

export async function runAuditCommand(options: { json?: true }): Promise<void> {
  const findings = await withApp(async ({ edge, invariants }) => {
    const bar = progress('Auditing')
    let checked = 0
    try {
      return await runAudit(edge.db.read, invariants, () => bar.update((checked += 1), invariants.length))
    } finally {
      bar.done()
    }
  })
  const broken = findings.filter((finding) => !finding.ok)
  if (options.json) printJson({ ok: broken.length === 0, invariants: findings })
  else {
    print(
      table(
        [
          { title: 'invariant', value: (finding) => finding.name },
          { title: '', value: (finding) => mark(finding.ok) },
          { title: 'promise', value: (finding) => finding.promise },
        ],
        findings,
      ),
    )
    for (const { name, violations } of broken) {
      print(`\n${name}`)
      for (const violation of violations) print(`  ${violation.subject}: ${violation.detail}`)
    }
  }
  if (broken.length > 0) process.exitCode = 1
}
