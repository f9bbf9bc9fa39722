import { AsyncLocalStorage } from 'node:async_hooks'
import type { Tx } from './db.ts'
import { contended } from './outage.ts'

/** What goes into the transaction last of all, before its commit. */
type LastWords = (tx: Tx) => Promise<void>
type Held = { tx: Tx; end: (last: LastWords | null) => void; ended: Promise<unknown> }
type Execute<T> = (work: (tx: Tx) => Promise<T>) => Promise<T>

const calls = new AsyncLocalStorage<HeldCommit>()

/** That of the call that is running, if it has one. */
export function heldCommit(): HeldCommit | undefined {
  return calls.getStore()
}

/**
 * A call whose answer is stored with its effect: its last transaction stays open until the answer is known, so that both
 * are there or neither is. Routes know nothing of it. They open their transaction as ever and go on when their work in it
 * is done; what they read after it is read in it. An earlier transaction is committed when the next one begins.
 */
export class HeldCommit {
  #under_way = 0
  #is_over = false
  #held: Held | undefined

  /** Runs `work`, and all that it calls, with commits held. */
  run(work: () => void): void {
    calls.run(this, work)
  }

  get tx(): Tx | undefined {
    return this.#held?.tx
  }

  /** Resolves when `work` is done. */
  async transaction<T>(execute: Execute<T>, work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#is_over) return execute(work)
    this.#under_way += 1
    await this.#end(async () => {}).catch((error: unknown) => {
      this.#under_way -= 1
      throw error
    })
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    let is_answered = false
    const ended = execute(async (tx) => {
      // Not tried again once the call has gone on with the result.
      if (is_answered) throw contended('Nothing was stored; repeat the call.')
      const result = await work(tx)
      // Two at once are none that could be the last: a database of one connection would wait for itself.
      if (this.#under_way > 1 || this.#is_over) return result
      const held = Promise.withResolvers<LastWords | null>()
      this.#held = { tx, end: held.resolve, ended }
      is_answered = true
      resolve(result)
      const last = await held.promise
      if (last === null) throw ROLLED_BACK
      await last(tx)
      return result
    })
    ended.then(resolve, reject).finally(() => (this.#under_way -= 1))
    return promise
  }

  /** Commits what is held, with what `last` writes. False when nothing is held; then `last` is not called. */
  async commit(last: LastWords): Promise<boolean> {
    this.#is_over = true
    return this.#end(last)
  }

  async rollBack(): Promise<void> {
    this.#is_over = true
    await this.#end(null).catch((error: unknown) => {
      if (error !== ROLLED_BACK) throw error
    })
  }

  async #end(last: LastWords | null): Promise<boolean> {
    const held = this.#held
    this.#held = undefined
    held?.end(last)
    await held?.ended
    return held !== undefined
  }
}

const ROLLED_BACK = new Error('the call failed after its transaction')
