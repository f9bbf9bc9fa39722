import { decimal } from '../../src/kernel/decimal.ts'
import { isCurrency } from '../../src/kernel/money.ts'
import { readNumber } from '../../src/providers/focus/index.ts'

/**
 * Evaluates the published requirements of FOCUS 1.2 (its requirements model, a JSON document) over a dataset. A rule is
 * evaluated on the rows that meet its condition and those of the rules that it is part of.
 */

export type Cell = string | number | boolean | null
export type Dataset = { columns: readonly string[]; rows: readonly Record<string, Cell>[] }

export type Verdict =
  | 'passed'
  | 'failed'
  /** The dataset has no such column or row, or its provider no such concept. */
  | 'not applicable'
  /** It allows something (MAY), so nothing can break it. */
  | 'permission'
  /** The model does not say how to check it, or contradicts itself, or a part of it cannot be evaluated. */
  | 'cannot be evaluated'
export type Finding = { verdict: Verdict; why: string }

export type Check = {
  CheckFunction: string
  ColumnName?: string
  /** As the model spells `ColumnName` in two places. */
  CheckCondition?: string
  ColumnAName?: string
  ColumnBName?: string
  ResultColumnName?: string
  ExpectedCount?: number
  Value?: Cell
  Items?: Check[]
  ModelRuleId?: string
}
export type Rule = {
  Type: string
  ApplicabilityCriteria: readonly string[]
  ValidationCriteria: {
    MustSatisfy: string
    Keyword: string
    Requirement: Check | Record<string, never>
    Condition: Check | Record<string, never>
  }
}
export type Model = { ModelRules: Record<string, Rule> }

/** A finding for every rule of the model. `supported` are the applicability criteria that hold for the dataset. */
export function evaluate(model: Model, dataset: Dataset, supported: ReadonlySet<string>): Map<string, Finding> {
  const rules = new Map(Object.entries(model.ModelRules))
  const contradicting = contradictions(rules)
  const findings = new Map<string, Finding>()

  const visit = (id: string, rows: Dataset['rows'], applies: boolean): Finding => {
    const rule = rules.get(id)
    const finding = rule === undefined ? cannot(`there is no rule ${id}`) : findingOf(id, rule, rows, applies)
    findings.set(id, worse(findings.get(id), finding))
    return finding
  }

  const findingOf = (id: string, rule: Rule, rows: Dataset['rows'], parentApplies: boolean): Finding => {
    const { Requirement, Condition, Keyword, MustSatisfy } = rule.ValidationCriteria
    const missing = rule.ApplicabilityCriteria.filter((criterion) => !supported.has(criterion))
    const applies = parentApplies && missing.length === 0
    const condition = isCheck(Condition) ? Condition : null
    const unreadable = condition === null && Object.keys(Condition).length > 0
    const selected = condition === null ? rows : rows.filter((row) => holds(condition, row))
    const parts = partsOf(Requirement)
    const children = parts.map((part) => visit(part, selected, applies && !unreadable))
    if (!applies) return { verdict: 'not applicable', why: missing.join(', ') || 'part of a rule that does not apply' }
    if (unreadable) return cannot('the condition has no check function')
    if (Keyword === 'MAY' && parts.length === 0) return { verdict: 'permission', why: MustSatisfy }
    if (!isCheck(Requirement)) return cannot(MustSatisfy)
    const contradicted = contradicting.get(id)
    if (contradicted !== undefined) return cannot(`contradicts ${contradicted}, both without a condition`)
    if (parts.length > 0) return together(children)
    return checked(Requirement, { ...dataset, rows: selected })
  }

  for (const id of roots(rules)) visit(id, dataset.rows, true)
  return findings
}

const SEVERITY: readonly Verdict[] = ['not applicable', 'permission', 'passed', 'cannot be evaluated', 'failed']

function worse(a: Finding | undefined, b: Finding): Finding {
  return a !== undefined && SEVERITY.indexOf(a.verdict) >= SEVERITY.indexOf(b.verdict) ? a : b
}

function together(children: readonly Finding[]): Finding {
  const worst = children.reduce<Finding | undefined>((acc, child) => worse(acc, child), undefined)
  return worst === undefined ? cannot('it has no parts') : { ...worst, why: `a part: ${worst.why}` }
}

function cannot(why: string): Finding {
  return { verdict: 'cannot be evaluated', why }
}

/** Two rules of one column without a condition, one that it is null and one that it is not, cannot both be meant. */
function contradictions(rules: ReadonlyMap<string, Rule>): Map<string, string> {
  const unconditional = [...rules].flatMap(
    ([
      id,
      {
        ValidationCriteria: { Requirement, Condition, Keyword },
      },
    ]) =>
      isCheck(Requirement) && !isCheck(Condition) && Keyword.startsWith('MUST') && Requirement.Value === null
        ? [{ id, column: columnOf(Requirement), check: Requirement.CheckFunction }]
        : [],
  )
  const pairs = unconditional.flatMap((one) =>
    unconditional
      .filter((other) => other.column === one.column && other.check !== one.check)
      .map((other): [string, string] => [one.id, other.id]),
  )
  return new Map(pairs)
}

function roots(rules: ReadonlyMap<string, Rule>): string[] {
  const parts = new Set([...rules.values()].flatMap((rule) => partsOf(rule.ValidationCriteria.Requirement)))
  return [...rules.keys()].filter((id) => !parts.has(id))
}

function partsOf(requirement: Check | Record<string, never>): string[] {
  if (!isCheck(requirement)) return []
  if (requirement.CheckFunction === 'CheckModelRule') return [requirement.ModelRuleId ?? '']
  return (requirement.Items ?? []).flatMap(partsOf)
}

function isCheck(value: Check | Record<string, never>): value is Check {
  return typeof value['CheckFunction'] === 'string'
}

/** A check of its own on a dataset. */
export function checked(check: Check, { columns, rows }: Dataset): Finding {
  if (check.CheckFunction === 'ColumnPresent') {
    return columns.includes(columnOf(check)) ? PASSED : { verdict: 'failed', why: `no column ${columnOf(check)}` }
  }
  const missing = columnsOf(check).filter((column) => !columns.includes(column))
  if (missing.length > 0) return { verdict: 'not applicable', why: `no column ${missing.join(', ')}` }
  if (rows.length === 0) return { verdict: 'not applicable', why: 'no row meets the condition' }
  try {
    if (check.CheckFunction === 'CheckDistinctCount') return distinctCount(check, rows)
    const broken = rows.find((row) => !holds(check, row))
    if (broken === undefined) return PASSED
    const shown = columnsOf(check).map((column) => `${column}: ${JSON.stringify(broken[column])}`)
    return { verdict: 'failed', why: `${check.CheckFunction}, ${shown.join(', ')}` }
  } catch (error) {
    if (error instanceof UnknownCheck) return cannot(error.message)
    throw error
  }
}

const PASSED: Finding = { verdict: 'passed', why: '' }

class UnknownCheck extends Error {}

function columnOf(check: Check): string {
  return check.ColumnName ?? check.CheckCondition ?? ''
}

function columnsOf(check: Check): string[] {
  const { ColumnName, CheckCondition, ColumnAName, ColumnBName, ResultColumnName, Items = [] } = check
  const own = [ColumnName, CheckCondition, ColumnAName, ColumnBName, ResultColumnName]
  return [...new Set([...own.flatMap((name) => name ?? []), ...Items.flatMap(columnsOf)])]
}

function distinctCount(check: Check, rows: Dataset['rows']): Finding {
  const [a, b] = [check.ColumnAName ?? '', check.ColumnBName ?? '']
  const groups = Map.groupBy(
    rows.filter((row) => row[a] !== null),
    (row) => row[a],
  )
  if (groups.size === 0) return { verdict: 'not applicable', why: `${a} is null throughout` }
  for (const [value, group] of groups) {
    const count = new Set(group.map((row) => row[b])).size
    if (count !== check.ExpectedCount) {
      return { verdict: 'failed', why: `${a} ${JSON.stringify(value)} has ${count} values of ${b}` }
    }
  }
  return PASSED
}

/** Whether one row keeps a check. A null keeps every check of a format: whether it may be null is another rule. */
function holds(check: Check, row: Record<string, Cell>): boolean {
  const cell = row[columnOf(check)] ?? null
  switch (check.CheckFunction) {
    case 'AND':
      return (check.Items ?? []).every((item) => holds(item, row))
    case 'OR':
      return (check.Items ?? []).some((item) => holds(item, row))
    case 'CheckValue':
      return isSame(cell, check.Value ?? null)
    case 'CheckNotValue':
      return !isSame(cell, check.Value ?? null)
    case 'CheckSameValue':
      return isSame(cellOf(row, check.ColumnAName), cellOf(row, check.ColumnBName))
    case 'CheckNotSameValue':
      return !isSame(cellOf(row, check.ColumnAName), cellOf(row, check.ColumnBName))
    case 'CheckGreaterOrEqualThanValue':
      return cell === null || isAtLeast(cell, check.Value ?? null)
    case 'ColumnByColumnEqualsColumnValue':
      return isProduct(row, check)
    default:
      return cell === null || formatOf(check.CheckFunction)(cell)
  }
}

function cellOf(row: Record<string, Cell>, column = ''): Cell {
  return row[column] ?? null
}

function isSame(a: Cell, b: Cell): boolean {
  const [x, y] = [numberOf(a), numberOf(b)]
  return x !== undefined && y !== undefined ? x.eq(y) : a === b
}

function isAtLeast(cell: Cell, bound: Cell): boolean {
  const [x, y] = [numberOf(cell), numberOf(bound)]
  return x !== undefined && y !== undefined && x.gte(y)
}

function isProduct(row: Record<string, Cell>, { ColumnAName, ColumnBName, ResultColumnName }: Check): boolean {
  const [a, b, result] = [ColumnAName, ColumnBName, ResultColumnName].map((column) => numberOf(cellOf(row, column)))
  return a === undefined || b === undefined || (result !== undefined && a.times(b).eq(result))
}

function numberOf(cell: Cell) {
  const text = cell === null ? undefined : readNumber(String(cell))
  return text === undefined ? undefined : decimal(text)
}

function formatOf(name: string): (cell: Cell) => boolean {
  const format = FORMATS[name]
  if (format === undefined) throw new UnknownCheck(`the check function ${name} is not known`)
  return format
}

const FORMATS: Readonly<Record<string, (cell: Cell) => boolean>> = {
  TypeString: (cell) => typeof cell === 'string',
  TypeDecimal: (cell) => numberOf(cell) !== undefined,
  TypeDateTime: (cell) => isTime(cell),
  CheckDecimalValue: (cell) => numberOf(cell) !== undefined,
  CheckNationalCurrency: (cell) => typeof cell === 'string' && isCurrency(cell),
  FormatCurrency: (cell) => typeof cell === 'string' && /^[A-Z]{3}$/.test(cell),
  FormatDateTime: (cell) => /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(String(cell)) && isTime(cell),
  FormatKeyValue: (cell) => typeof cell === 'string' && isFlatObject(cell),
  FormatNumeric: (cell) => /^-?\d+(\.\d+)?([eE]-?\d+)?$/.test(String(cell)),
  FormatString: (cell) => typeof cell === 'string' && cell.isWellFormed() && cell.trim() !== '',
  FormatUnit: (cell) => typeof cell === 'string' && UNIT.test(cell),
}

/** A unit, with a time (`GB-Hours`, `GB/Hour`) or a count (`1000 Tokens`); written with a capital unless it is a size. */
const UNIT = /^(?:[1-9]\d* )?(?:[kMGTPE]?i?[bB]|[A-Z][A-Za-z]*(?: [A-Z][A-Za-z]*)*)(?:[-/][A-Z][a-z]+)?$/

function isTime(cell: Cell): boolean {
  try {
    Temporal.Instant.from(String(cell))
    return true
  } catch {
    return false
  }
}

function isFlatObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return false
    // A key that comes twice is once in the object.
    const isUnique = text.matchAll(/"(?:[^"\\]|\\.)*"\s*:/g).toArray().length === Object.keys(value).length
    return isUnique && Object.values(value).every((item) => item === null || typeof item !== 'object')
  } catch {
    return false
  }
}
