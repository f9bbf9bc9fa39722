import { problem } from '../../kernel/problem.ts'

export const onlyPreviews = problem({
  code: 'focus/only-previews',
  status: 409,
  title: 'The month has no issued bill yet',
})
