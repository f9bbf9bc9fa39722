import { type Fault, invalidInput } from '../../kernel/problem.ts'
import type { Reader } from '../../platform/db.ts'
import {
  type NewPlanVersion,
  planFaults,
  planTermsOf,
  readPlanTerms,
  unknownPlan,
  unknownPlanAt,
} from '../catalog/index.ts'
import type { Phase, PlanTerms } from '../pricing/index.ts'
import type { BilledSubscription } from '../subscriptions/index.ts'

/** The prices of a question: a version of the plan, drafts and retired ones too, or terms that it does not have. */
export type WhatIfPlan = { code: string; version: number } | { code: string; terms: NewPlanVersion }

/** The prices that history is rated under, and the plan's versions (ids), which they are laid over. */
export type AskedPlan = {
  plan_version_id: string
  plan: PlanTerms & { code: string }
  versions: ReadonlySet<string>
}

/** Stands for terms that are in no version, wherever the id of one belongs. */
const NO_VERSION = 'given'

/** Throws `catalog/unknown-plan`, and `request/invalid` with every mistake of what cannot be rated. */
export async function readAskedPlan(reader: Reader, asked: WhatIfPlan): Promise<AskedPlan> {
  const { code } = asked
  const versions = await reader
    .selectFrom('catalog.plan as p')
    .leftJoin('catalog.plan_version as v', 'v.plan_code', 'p.code')
    .select(['p.name', 'v.id', 'v.version'])
    .where('p.code', '=', code)
    .execute()
  if (versions[0] === undefined) {
    throw await unknownPlanAt('plan/code', code, { reader })
  }
  const ids = versions.flatMap(({ id }) => id ?? [])
  if ('terms' in asked) {
    const terms = { ...planTermsOf(asked.terms), code, name: versions[0].name }
    refuse(await planFaults(reader, terms), 'plan/terms')
    return { plan_version_id: NO_VERSION, plan: terms, versions: new Set(ids) }
  }
  const { id } = versions.find((row) => row.version === asked.version) ?? {}
  const terms = (await readPlanTerms(reader, ids)).get(id ?? '')
  if (id === undefined || id === null || terms === undefined) {
    const fault = { path: 'plan/version', message: `plan ${code} has no version ${asked.version}` }
    throw unknownPlan(`GET /plans/${code} lists the versions.`, [fault])
  }
  refuse(await planFaults(reader, terms), 'plan/version')
  return { plan_version_id: id, plan: { ...terms, code }, versions: new Set(ids) }
}

function refuse(faults: readonly Fault[], below: string): void {
  if (faults.length === 0) return
  throw invalidInput(
    'The prices cannot be rated.',
    faults.map((fault) => ('path' in fault ? { ...fault, path: `${below}/${fault.path}` } : fault)),
  )
}

/**
 * The subscription as if its days under other versions of the plan had been under the asked one. As with a change of
 * plan, their overrides go; what is on the asked version already stays as it is. `history` are all its phases, ever: what
 * the years of a yearly plan are counted from.
 */
export function underPlan(
  subscription: BilledSubscription,
  { plan_version_id, plan, versions }: AskedPlan,
  history: readonly Phase[],
): BilledSubscription {
  const isOfPlan = (phase: Phase): boolean => versions.has(phase.plan_version_id)
  const under = (phase: Phase): Phase =>
    isOfPlan(phase) && phase.plan_version_id !== plan_version_id
      ? { ...phase, plan_version_id, override_id: null }
      : phase
  const others = subscription.yearly_phases.filter((phase) => !isOfPlan(phase))
  const own = plan.interval === 'year' ? history.filter(isOfPlan).map(under) : []
  return {
    ...subscription,
    phases: subscription.phases.map(under),
    yearly_phases: [...others, ...own].toSorted((a, b) => Temporal.PlainDate.compare(a.start, b.start)),
  }
}
