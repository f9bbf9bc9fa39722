import { Type } from 'typebox'

const CLOSED = { additionalProperties: false }

const Name = Type.String({ minLength: 1 })
const PlainDate = Type.String({ format: 'date' })
const OptionalId = Type.Union([Name, Type.Null()])
/** Beyond these bounds a JSON number is no longer exact in JavaScript. */
const Minor = Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER })

const Line = Type.Object(
  {
    description: Type.String(),
    kind: Name,
    amount_minor: Minor,
    tax: Type.Boolean(),
    tenant_id: OptionalId,
    deployment_id: OptionalId,
  },
  CLOSED,
)

const shared = {
  tenant_id: Type.Literal('platform-admin'),
  external_id: Name,
  invoice_number: Name,
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  period: Type.Object({ start: PlainDate, end: PlainDate }, CLOSED),
  issued_on: PlainDate,
  amount_net_minor: Minor,
  amount_tax_minor: Minor,
  amount_gross_minor: Minor,
  lines: Type.Array(Line),
}

/** A provider's bill, as the finance service takes it. Written apart from the client, so that neither copies a mistake. */
export const Bill = Type.Object(
  { ...shared, source: Name, vendor: Type.Object({ name: Name, category: Name }, CLOSED) },
  CLOSED,
)

/** An invoice to a tenant. */
export const TenantInvoice = Type.Object(
  {
    ...shared,
    source: Type.Literal('arcadia-cloud'),
    customer: Type.Object(
      { name: Name, country: Type.Optional(Type.String()), tax_id: Type.Optional(Type.String()) },
      CLOSED,
    ),
  },
  CLOSED,
)
