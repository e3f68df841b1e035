import t from 'tap'
import { InvariantError } from '../../lib/util/assert.ts'
import { Resource } from '../../lib/util/resource.ts'
import type { Ownable } from '../../lib/util/resource.ts'

/** Writes down what happens to it, and to what it owns. */
class Part extends Resource {
  readonly name: string
  readonly log: string[]
  readonly #children: Ownable[]
  readonly #failing: 'open' | 'close' | 'nothing'
  /** Opening waits for this. */
  gate: Promise<void> = Promise.resolve()

  constructor(
    name: string,
    log: string[],
    children: Ownable[] = [],
    failing: 'open' | 'close' | 'nothing' = 'nothing'
  ) {
    super()
    this.name = name
    this.log = log
    this.#children = children
    this.#failing = failing
  }

  protected override async _open(): Promise<void> {
    await this.gate
    for (const child of this.#children) await this.own(child)
    if (this.#failing === 'open') throw new Error(`${this.name} cannot open`)
    this.log.push(`open ${this.name}`)
  }

  protected override async _close(): Promise<void> {
    this.log.push(`close ${this.name}`)
    await Promise.resolve()
    if (this.#failing === 'close') throw new Error(`${this.name} cannot close`)
  }
}

t.test('what is owned opens first, in order, and closes last, in reverse', async t => {
  const log: string[] = []
  const whole = new Part('whole', log, [new Part('a', log), new Part('b', log)])
  await whole.open()
  await whole.close()
  t.same(log, ['open a', 'open b', 'open whole', 'close whole', 'close b', 'close a'])
})

t.test('open and close do their work once', async t => {
  const log: string[] = []
  const part = new Part('a', log)
  await Promise.all([part.open(), part.open()])
  await part.open()
  await Promise.all([part.close(), part.close()])
  await part.close()
  t.same(log, ['open a', 'close a'])
})

t.test('a failed open closes what it had opened and owns nothing', async t => {
  const log: string[] = []
  const whole = new Part('whole', log, [new Part('a', log)], 'open')
  await t.rejects(whole.open(), { message: 'whole cannot open' })
  t.same(log, ['open a', 'close a'])
  await t.rejects(whole.open(), { message: 'whole cannot open' })
  await whole.close()
  t.same(log, ['open a', 'close a'])
})

t.test('a child that cannot open closes the ones before it', async t => {
  const log: string[] = []
  const whole = new Part('whole', log, [new Part('a', log), new Part('b', log, [], 'open')])
  await t.rejects(whole.open(), { message: 'b cannot open' })
  t.same(log, ['open a', 'close a'])
})

t.test('when releasing fails too, a failed open tells of both', async t => {
  const whole = new Part('whole', [], [new Part('a', [], [], 'close')], 'open')
  const error = await whole.open().then(
    () => undefined,
    (reason: unknown) => reason
  )
  t.ok(error instanceof AggregateError)
  t.match(error, { message: 'whole cannot open', errors: [{ message: 'whole cannot open' }, {}] })
})

t.test('close waits for an open that is under way', async t => {
  const log: string[] = []
  const part = new Part('a', log)
  let release = (): void => undefined
  part.gate = new Promise(resolve => {
    release = resolve
  })
  const opening = part.open()
  const closing = part.close()
  t.same(log, [])
  release()
  await Promise.all([opening, closing])
  t.same(log, ['open a', 'close a'])
})

t.test('close gathers all errors and closes the rest', async t => {
  const log: string[] = []
  const children = [
    new Part('a', log),
    new Part('b', log, [], 'close'),
    new Part('c', log, [], 'close')
  ]
  const whole = new Part('whole', log, children)
  await whole.open()
  await t.rejects(whole.close(), {
    errors: [{ message: 'c cannot close' }, { message: 'b cannot close' }]
  })
  t.same(log.slice(4), ['close whole', 'close c', 'close b', 'close a'])
})

t.test('there is no second life', async t => {
  const log: string[] = []
  const part = new Part('a', log)
  await part.close()
  await t.rejects(part.open(), InvariantError)
  t.same(log, [])
})

t.test('what only closes can be owned', async t => {
  const log: string[] = []
  const file = {
    close() {
      log.push('close file')
    }
  }
  const part = new Part('a', log, [file])
  await part.open()
  await part.close()
  t.same(log, ['open a', 'close a', 'close file'])
})

t.test('await using closes at the end of the block', async t => {
  const log: string[] = []
  {
    await using part = new Part('a', log)
    await part.open()
  }
  t.same(log, ['open a', 'close a'])
})
