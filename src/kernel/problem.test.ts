import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvariantError, invariant, present } from './invariant.ts'
import { listProblems, Problem, problem, problemOfConstraint } from './problem.ts'

const taken = problem({
  code: 'test/taken',
  status: 409,
  title: 'Already taken',
  constraints: ['seat_one_guest', 'seat_pkey'],
})

test('a problem is spelled as RFC 9457 asks, with a stable code', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(taken('Seat 4 is taken.'))), {
    type: 'urn:arcadia:problem:test/taken',
    title: 'Already taken',
    status: 409,
    detail: 'Seat 4 is taken.',
    code: 'test/taken',
  })
})

test('a problem lists its faults only when it has some', () => {
  const errors = [{ path: 'seat', message: 'is taken' }]
  assert.deepEqual(taken('Seat 4 is taken.', errors).toJSON().errors, errors)
  assert.equal('errors' in taken('Seat 4 is taken.').toJSON(), false)
})

test('a problem can be thrown and told from a bug', () => {
  assert.ok(taken('Seat 4 is taken.') instanceof Problem)
  assert.ok(taken('Seat 4 is taken.') instanceof Error)
  assert.equal(new InvariantError('x') instanceof Problem, false)
})

test('a constraint leads to the problem that claimed it', () => {
  assert.equal(problemOfConstraint('seat_one_guest'), taken)
  assert.equal(problemOfConstraint('seat_pkey'), taken)
  assert.equal(problemOfConstraint('nobody_claimed_this'), undefined)
})

test('a code that is declared twice is refused', () => {
  assert.throws(() => problem({ code: 'test/taken', status: 422, title: 'Another' }), InvariantError)
})

test('a constraint that two problems claim is refused', () => {
  assert.throws(
    () => problem({ code: 'test/other', status: 409, title: 'Other', constraints: ['seat_pkey'] }),
    InvariantError,
  )
})

test('the list of problems is closed and sorted by code', () => {
  const codes = listProblems().map((kind) => kind.code)
  assert.ok(codes.includes('request/not-found'))
  assert.ok(codes.includes('test/taken'))
  assert.deepEqual(
    codes,
    codes.toSorted((a, b) => a.localeCompare(b)),
  )
})

test('an invariant that does not hold, or a value that is missing, names the broken promise', () => {
  assert.throws(() => invariant(false, 'the sky is above'), { name: 'InvariantError', message: 'the sky is above' })
  assert.throws(() => present(null, 'there is one'), InvariantError)
  assert.throws(() => present(undefined, 'there is one'), InvariantError)
  assert.equal(present(0, 'there is one'), 0)
})
