/** Measures the single operations on one target. */

import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { runCommand } from './bench-command.ts'
import type { BenchTarget, RequestCounts } from './bench-target.ts'
import type { MicroSizes } from './micro-operations.ts'
import { requestsPerUnit } from './round-trips.ts'

const CHILD = fileURLToPath(new URL('./micro-child.ts', import.meta.url))
/** All operations on one target take seconds; an hour's hang shall not be waited for. */
const PATIENCE_MS = 300_000

export interface MicroResult {
  readonly name: string
  readonly perSecond: number
  /** Requests for each operation, by opcode, where the target counts them. */
  readonly requests: RequestCounts | undefined
}

interface ChildLine {
  readonly ready?: string
  readonly name: string
  readonly count: number
  readonly seconds: number
}

export async function measureMicro(target: BenchTarget, sizes: MicroSizes): Promise<MicroResult[]> {
  const directory = join(target.directory, `micro-${randomUUID()}`)
  await runCommand('mkdir', [directory])
  const args = [...process.execArgv, CHILD, directory, JSON.stringify(sizes)]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  try {
    return await resultsOf(child, target)
  } finally {
    clearTimeout(timer)
    child.kill('SIGKILL')
    await runCommand('rm', ['-rf', directory])
  }
}

async function resultsOf(
  child: ChildProcessByStdio<Writable, Readable, null>,
  target: BenchTarget
): Promise<MicroResult[]> {
  const results: MicroResult[] = []
  const exited = once(child, 'exit')
  let before: RequestCounts | undefined
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as ChildLine
    if (line.ready !== undefined) {
      before = await target.requests()
    } else {
      const { name, count, seconds } = line
      const requests = requestsPerUnit(before, await target.requests(), count)
      results.push({ name, perSecond: count / seconds, requests })
    }
    child.stdin.write('go on\n')
  }
  const [code] = (await exited) as [number | null]
  if (code === 0) return results
  throw new Error(`The operations on ${target.name} ended early, with ${String(code)}`)
}
