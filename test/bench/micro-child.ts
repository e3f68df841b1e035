/**
 * Does the operations of micro-operations.ts in a process of its own, which can be killed.
 *
 * argv: the directory and the sizes as JSON. For each operation it prints {ready}, waits for a
 * line on stdin, does it, and prints {name, count, seconds}.
 */

import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { microOperations, type MicroSizes } from './micro-operations.ts'

const [directory = '', sizes = '{}'] = process.argv.slice(2)
const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

function print(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

for (const operation of microOperations) {
  const { name } = operation
  const work = operation.prepare(directory, JSON.parse(sizes) as MicroSizes)
  print({ ready: name })
  await orders.next()
  const start = performance.now()
  work.run()
  print({ name, count: work.count, seconds: (performance.now() - start) / 1000 })
}
process.exit(0)
