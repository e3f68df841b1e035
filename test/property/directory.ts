/**
 * A directory whose names come from the store, change, go and are packed anew, against a list.
 */

import fc from 'fast-check'
import t from 'tap'
import type { Index, Ino, Position } from '../../lib/ids.ts'
import { encodeListed } from '../../lib/store/records.ts'
import { S_IFREG, type Dirent } from '../../lib/tree/inode.ts'
import { Directory } from '../../lib/vfs/directory.ts'

/** More than the least that is packed, and few enough that names meet again. */
const NAMES = 60
const MANY = 400
const STEPS_MAX = 200

interface Step {
  readonly act: 'set' | 'replace' | 'remove' | 'list' | 'pack' | 'many'
  readonly name: number
  readonly from: number
}

const history = fc.record({
  /** Which names the store has, and before which of them the listing is cut into parts. */
  stored: fc.array(fc.nat(NAMES - 1), { maxLength: 2 * NAMES }),
  cuts: fc.array(fc.nat(NAMES), { maxLength: 3 }),
  /** How many of the steps come before the listing. */
  early: fc.nat(5),
  steps: fc.array(
    fc.record<Step>({
      act: fc.constantFrom('set', 'set', 'replace', 'remove', 'remove', 'list', 'pack', 'many'),
      name: fc.nat(NAMES - 1),
      from: fc.nat(2000)
    }),
    { maxLength: STEPS_MAX }
  )
})

class Pair {
  readonly use = { bytes: 0 }
  readonly directory = new Directory(false, this.use)
  readonly model = new Map<string, Dirent>()
  #cookie = 1000
  #position = 0

  step({ act, name: number, from }: Step): void {
    const name = nameOf(number)
    const before = this.model.get(name)
    if (act === 'set' && before === undefined) this.#set(name, ++this.#cookie)
    if (act === 'replace' && before !== undefined) this.#set(name, before.cookie)
    if (act === 'remove' && before !== undefined) this.#remove(name)
    if (act === 'pack') this.directory.pack()
    if (act === 'many') for (let n = 0; n < MANY; n++) this.#set(`m${n}`, ++this.#cookie)
    if (act === 'list' && this.directory.complete) this.compareListing(from)
  }

  compareListing(from: number): void {
    const expected = [...this.model]
      .filter(([, { cookie }]) => cookie > from)
      .sort(([, a], [, b]) => a.cookie - b.cookie)
    const found: [string, Dirent][] = []
    this.directory.list(from, ({ name, dirent }) => found.push([name, dirent]) > 0)
    if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error('another listing')
  }

  compareNames(): void {
    if (this.directory.size !== this.model.size) throw new Error('another size')
    for (const name of [
      ...this.model.keys(),
      ...Array.from({ length: NAMES }, (_, n) => nameOf(n))
    ])
      if (JSON.stringify(this.directory.get(name)) !== JSON.stringify(this.model.get(name)))
        throw new Error(`${name} is another`)
  }

  #set(name: string, cookie: number): void {
    // As history has it: a name that is made is new, but for those that replace one.
    if (cookie > 1000 && this.model.has(name) && this.model.get(name)?.cookie !== cookie) {
      this.#remove(name)
    }
    const dirent = { ino: (cookie + 5) as Ino, type: S_IFREG, cookie: cookie as Index }
    this.directory.set(name, dirent)
    this.model.set(name, dirent)
  }

  #remove(name: string): void {
    this.directory.remove(name, ++this.#position as Position)
    this.model.delete(name)
  }
}

t.test('a directory is what its history says, however its names are kept', async () => {
  fc.assert(
    fc.property(history, ({ stored, cuts, early, steps }) => {
      const pair = new Pair()
      const names = [...new Set(stored)].map(nameOf)
      const listed = names.map((name, n) => {
        const dirent = { ino: (n + 10) as Ino, type: S_IFREG, cookie: (n + 3) as Index }
        pair.model.set(name, dirent)
        return encodeListed(name, dirent)
      })
      pair.directory.beginListing()
      for (const step of steps.slice(0, early)) pair.step(step)
      const places = [0, ...cuts.toSorted((a, b) => a - b), names.length]
      places.forEach((from, n) => {
        const part = Buffer.concat(listed.slice(from, places[n + 1] ?? from))
        pair.directory.learnListing(part, n === places.length - 1)
      })
      for (const step of steps.slice(early)) pair.step(step)
      pair.compareListing(0)
      pair.compareNames()
      pair.directory.dispose()
      return pair.use.bytes === 0
    }),
    { numRuns: 500 }
  )
})

function nameOf(number: number): string {
  return `${number}.M${number}P1.mx${'x'.repeat(number % 7)}`
}
