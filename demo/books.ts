import type { Client } from '../src/cli/client.ts'
import { ADDONS, DEPLOYMENTS, LLM_USAGE, PLANS, TENANTS } from './company.ts'

/** What the operator enters by hand in its first weeks. Run again, it finds everything in place. */
export async function enterBooks(operator: Client): Promise<void> {
  for (const tenant of TENANTS) await operator.ensure('/tenants', tenant)
  for (const plan of PLANS) await enterPlan(operator, plan)
  for (const addon of ADDONS) await operator.ensure('/addons', addon)
  const known = await readDeployments(operator)
  for (const wanted of DEPLOYMENTS) {
    if (!known.has(`${wanted.tenant_id}/${wanted.slug}`)) await enterDeployment(operator, wanted)
  }
}

/** What the gateway sends in the course of the month. */
export async function sendLlmUsage(
  operator: Client,
  gateway: Client,
): Promise<{ created: number; duplicates: number; held: number }> {
  const deployments = await readDeployments(operator)
  const events = LLM_USAGE.map(({ slug, event }) => ({
    ...event,
    deployment_id: deployments.get(`${event.tenant_id}/${slug}`),
  }))
  const { results } = await gateway.post<{ results: { status: string }[] }>('/integrations/llm-usage', { events })
  const count = (status: string) => results.filter((result) => result.status === status).length
  return { created: count('created'), duplicates: count('duplicate'), held: count('held') }
}

async function readDeployments(operator: Client): Promise<Map<string, string>> {
  const all = await operator.list<{ id: string; tenant_id: string; slug: string }>('/deployments')
  return new Map(all.map(({ id, tenant_id, slug }) => [`${tenant_id}/${slug}`, id]))
}

async function enterPlan(operator: Client, { code, name, version }: (typeof PLANS)[number]): Promise<void> {
  const isNew = await operator.ensure('/plans', { code, name })
  if (!isNew) return
  await operator.post(`/plans/${code}/versions`, version)
  await operator.post(`/plans/${code}/versions/1/publish`, {})
}

async function enterDeployment(operator: Client, wanted: (typeof DEPLOYMENTS)[number]): Promise<void> {
  const { tenant_id, slug, display_name, plan_code, addons, start_date } = wanted
  const state = 'trial' in wanted ? 'trial' : 'active'
  const { id } = await operator.post<{ id: string }>('/deployments', { tenant_id, slug, display_name, state })
  await operator.post(`/deployments/${id}/subscribe`, {
    plan_code,
    addons: addons.map((code) => ({ code })),
    start_date,
  })
}
