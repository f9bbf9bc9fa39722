import assert from 'node:assert/strict'
import { test } from 'node:test'
import { abnFault } from './abn.ts'

test('the check digits of an ABN hold, however it is spaced', () => {
  for (const abn of ['53 004 085 616', '53004085616', '51 824 753 556', '83 914 571 673'])
    assert.equal(abnFault(abn), null, abn)
  for (const abn of ['53 004 085 617', '35 004 085 616', '51824753565'])
    assert.equal(abnFault(abn), 'the check digit of the ABN does not hold', abn)
})

test('an ABN with one wrong digit is seen, whichever it is', () => {
  const abn = '51824753556'
  for (let place = 0; place < abn.length; place += 1) {
    for (const digit of '0123456789') {
      if (digit === abn[place]) continue
      assert.notEqual(abnFault(abn.slice(0, place) + digit + abn.slice(place + 1)), null)
    }
  }
})

test('what has not eleven digits is no ABN', () => {
  for (const text of ['', '5182475355', '518247535560', 'DE123456789', '01824753556'])
    assert.match(abnFault(text) ?? '', /eleven digits/, text)
})
