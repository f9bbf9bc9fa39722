import { Type } from 'typebox'
import { Id, Nullable, OneOf, Query, TextOf } from '../../platform/wire.ts'

/** `after`: the key of the last row of the page before. */
export type PageAfter = { readonly limit: number; readonly after: readonly string[] | undefined }

export const tags = ['costs']
export const config = { access: ['platform_admin'] as const }

export const Text = TextOf({ minLength: 1, maxLength: 500 })
export const DecimalOut = Type.String({ description: 'An exact decimal, in major units where it is money' })
export const MatchStatus = OneOf(['matched', 'allocated', 'unmatched', 'not_applicable'])
export const Provider = Type.String({
  pattern: '^[a-z0-9][a-z0-9._-]{0,63}$',
  description: 'A lower-case word',
  expected: 'a lower-case word such as digitalocean',
})

export const PreviewQuery = Query({
  preview: Type.Optional(Type.Boolean({ description: 'Store nothing, and answer what would change' })),
})

const LineMatchOut = Type.Object({
  match_status: MatchStatus,
  match_method: Nullable(Type.String()),
  owners: Type.Array(Type.Object({ tenant_id: Type.String(), deployment_id: Id, amount: DecimalOut })),
})

export const MatchChangesOut = Type.Object({
  changed_lines: Type.Integer(),
  lines: Type.Array(
    Type.Object({
      id: Id,
      provider_invoice_id: Id,
      description: Type.String(),
      amount: DecimalOut,
      currency: Type.String(),
      from: LineMatchOut,
      to: LineMatchOut,
    }),
    { description: 'The first of them' },
  ),
  deployments: Type.Array(
    Type.Object({
      tenant_id: Nullable(Type.String()),
      deployment_id: Nullable(Id),
      currency: Type.String(),
      before_amount: DecimalOut,
      after_amount: DecimalOut,
    }),
    { description: 'Of the lines that change: who bears how much of them. Null: nobody' },
  ),
})
