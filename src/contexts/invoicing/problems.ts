import { problem } from '../../kernel/problem.ts'

export const periodNotOver = problem({
  code: 'invoicing/period-not-over',
  status: 422,
  title: 'The period has not ended yet',
})
export const unknownPlan = problem({
  code: 'invoicing/unknown-plan',
  status: 422,
  title: 'A subscription names a plan version that does not exist',
})
export const unknownTimeZone = problem({
  code: 'invoicing/unknown-time-zone',
  status: 422,
  title: 'The tenant’s time zone does not exist',
})
export const amountTooLarge = problem({
  code: 'invoicing/amount-too-large',
  status: 422,
  title: 'An amount is larger than an invoice can have',
})
export const alreadyIssued = problem({
  code: 'invoicing/already-issued',
  status: 409,
  title: 'The invoice is issued already',
})
export const outOfDate = problem({
  code: 'invoicing/out-of-date',
  status: 409,
  title: 'The draft has to be made anew',
})
export const isVoid = problem({ code: 'invoicing/void', status: 409, title: 'The invoice is void' })
export const notVoidable = problem({
  code: 'invoicing/not-voidable',
  status: 409,
  title: 'The invoice cannot be made void',
})
export const notPayable = problem({
  code: 'invoicing/not-payable',
  status: 409,
  title: 'The invoice does not take payments',
})
export const paymentConflict = problem({
  code: 'invoicing/payment-conflict',
  status: 409,
  title: 'Another payment has this reference',
  constraints: ['payment_once'],
})
export const paymentReversed = problem({
  code: 'invoicing/payment-reversed',
  status: 409,
  title: 'The payment is reversed already',
})
export const overpayment = problem({
  code: 'invoicing/overpayment',
  status: 422,
  title: 'The payment is more than is owed',
})
export const notCreditable = problem({
  code: 'invoicing/not-creditable',
  status: 409,
  title: 'The invoice cannot be credited',
})
export const creditTooLarge = problem({
  code: 'invoicing/credit-too-large',
  status: 422,
  title: 'The credit is more than was invoiced',
})
// Only the database refuses these: no code tries them.
problem({
  code: 'invoicing/payment-stays',
  status: 409,
  title: 'A payment cannot be changed, only reversed',
  constraints: ['payment_stays'],
})
problem({
  code: 'invoicing/issued-is-immutable',
  status: 409,
  title: 'An issued invoice cannot be changed',
  constraints: ['invoice_issued_is_immutable', 'invoice_line_issued_is_immutable'],
})
