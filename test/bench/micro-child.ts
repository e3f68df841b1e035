/**
 * Does the operations of micro-operations.ts in a process of its own, which can be killed.
 *
 * argv: the directory and the sizes as JSON. For each operation it prints {ready}, does it, and
 * prints {name, count, seconds}. After each line it stands still until it gets one on stdin, so
 * that requests can be counted before and after.
 */

import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { microOperations, type MicroSizes } from './micro-operations.ts'

const [directory = '', sizes = '{}'] = process.argv.slice(2)
const orders = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function report(line: object): Promise<void> {
  writeSync(1, `${JSON.stringify(line)}\n`)
  await orders.next()
}

for (const operation of microOperations) {
  const { name } = operation
  const work = operation.prepare(directory, JSON.parse(sizes) as MicroSizes)
  await report({ ready: name })
  const start = performance.now()
  work.run()
  await report({ name, count: work.count, seconds: (performance.now() - start) / 1000 })
}
process.exit(0)
