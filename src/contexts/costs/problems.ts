import { problem } from '../../kernel/problem.ts'

export const noBalance = problem({ code: 'costs/no-balance', status: 404, title: 'No balance has been read yet' })
export const noFile = problem({ code: 'costs/no-file', status: 422, title: 'The request carries no file' })
export const notText = problem({ code: 'costs/not-text', status: 422, title: 'The file is not CSV text in UTF-8' })
export const invoiceUnreadable = problem({
  code: 'costs/invoice-unreadable',
  status: 422,
  title: 'The bill cannot be read; nothing of it is stored',
})
export const invoiceIncomplete = problem({
  code: 'costs/invoice-incomplete',
  status: 422,
  title: 'The lines that the provider sends do not add up to the bill; nothing of it is stored',
})
export const periodDiffers = problem({
  code: 'costs/period-differs',
  status: 422,
  title: 'The lines are not of the month that the bill is said to be of',
})
export const totalsDiffer = problem({
  code: 'costs/totals-differ',
  status: 422,
  title: 'The lines do not add up to the amount that was announced or stated',
})
export const invoiceDiffers = problem({
  code: 'costs/invoice-differs',
  status: 409,
  title: 'The bill is issued with other content',
  constraints: [
    'provider_invoice_once',
    'provider_invoice_number_once',
    'provider_invoice_issued_is_immutable',
    'provider_invoice_issued_is_kept',
    'cost_line_issued_is_immutable',
    'settled_difference_is_kept',
  ],
})
export const notWithdrawable = problem({
  code: 'costs/not-withdrawable',
  status: 409,
  title: 'The bill cannot be withdrawn',
  constraints: [
    'provider_invoice_withdrawn_was_uploaded',
    'provider_invoice_withdrawn_is_kept',
    'withdrawn_line_is_kept',
  ],
})
export const contentStoredAlready = problem({
  code: 'costs/content-stored-already',
  status: 409,
  title: 'The same lines are issued already as another bill',
  constraints: ['provider_invoice_content_once'],
})
export const lineNotAssignable = problem({
  code: 'costs/line-not-assignable',
  status: 422,
  title: 'This line cannot be assigned',
})
export const periodNotOver = problem({
  code: 'costs/period-not-over',
  status: 409,
  title: 'The month is not over yet',
})
export const periodClosed = problem({
  code: 'costs/period-closed',
  status: 409,
  title: 'The month is closed',
  constraints: [
    'period_close_once',
    'period_close_is_kept',
    'provider_invoice_closed_month_keeps_it',
    'cost_line_closed_month_stays',
    'line_share_closed_month_stays',
  ],
})
export const periodOpen = problem({ code: 'costs/period-open', status: 409, title: 'The month is not closed' })
export const exchangeRateDiffers = problem({
  code: 'costs/exchange-rate-differs',
  status: 409,
  title: 'The pair of currencies has another rate for the day',
  constraints: ['exchange_rate_once', 'exchange_rate_stays'],
})
export const exchangeRateWithdrawn = problem({
  code: 'costs/exchange-rate-withdrawn',
  status: 409,
  title: 'The rate is withdrawn already',
})
export const unknownDeployment = problem({
  code: 'costs/unknown-deployment',
  status: 422,
  title: 'There is no such deployment',
})

// Thrown by nobody: the constraint alone refuses a balance that does not add up.
problem({
  code: 'costs/balance-differs',
  status: 502,
  title: 'The balance of the provider does not add up',
  constraints: ['balance_adds_up'],
})
