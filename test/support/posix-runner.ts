/**
 * Runs the POSIX suite on a directory, from processes that serve nothing: a mount whose daemon
 * is the caller's own process can hang such a process, but never the caller.
 *
 * A case that does not end in time is killed with all its helpers and reported as failed; the
 * remaining cases go on in a new process.
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const CHILD = fileURLToPath(new URL('./posix-child.mjs', import.meta.url))
const SUITE = new URL('../conformance/posix-suite.mjs', import.meta.url)
/** A case takes well under a second; a busy machine may need many times that. */
const CASE_TIMEOUT_MS = 60_000
/** A process that sleeps in the kernel does not die at once, and perhaps never. */
const DEATH_TIMEOUT_MS = 5_000

export interface PosixOutcome {
  readonly name: string
  /** Undefined when the case passed. */
  readonly error: string | undefined
}

interface ChildLine {
  readonly begin?: string
  readonly name?: string
  readonly error?: string
}

/** Runs each wanted case in a new subdirectory, and asserts on `t` that it passes. */
export async function runPosixSuite(
  t: Test,
  directory: string,
  isWanted: (name: string) => boolean = () => true
): Promise<PosixOutcome[]> {
  if (process.getuid?.() !== 0) throw new Error('The POSIX suite changes users: run it as root.')
  const outcomes: PosixOutcome[] = []
  let names = (await caseNames()).filter(isWanted)
  while (names.length > 0) {
    for (const outcome of await runUntilStuck(directory, names)) {
      outcomes.push(outcome)
      const diagnostic = outcome.error === undefined ? {} : { stack: outcome.error }
      t.ok(outcome.error === undefined, outcome.name, diagnostic)
    }
    names = names.filter(name => !outcomes.some(outcome => outcome.name === name))
  }
  return outcomes
}

async function caseNames(): Promise<string[]> {
  const suite = (await import(SUITE.href)) as { posixCases: { name: string }[] }
  return suite.posixCases.map(({ name }) => name)
}

/** The outcomes of `names` up to and including the first case that kills or outlasts its child. */
async function runUntilStuck(directory: string, names: string[]): Promise<PosixOutcome[]> {
  const child = spawn(process.execPath, [CHILD, directory, JSON.stringify(names)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const lines = createInterface({ input: child.stdout })
  const giveUp = (): void => {
    killGroup(child)
    // Its end of the pipe stays open if it cannot die.
    lines.close()
  }
  const outcomes: PosixOutcome[] = []
  let timer = setTimeout(giveUp, CASE_TIMEOUT_MS)
  for await (const text of lines) {
    const line = JSON.parse(text) as ChildLine
    if (line.name !== undefined) outcomes.push({ name: line.name, error: line.error })
    clearTimeout(timer)
    timer = setTimeout(giveUp, CASE_TIMEOUT_MS)
  }
  clearTimeout(timer)
  await death(child)
  const stuck = names[outcomes.length]
  if (stuck !== undefined) outcomes.push({ name: stuck, error: 'not done in time, or it died' })
  return outcomes
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function death(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise<void>(resolve => {
    const timer = setTimeout(resolve, DEATH_TIMEOUT_MS)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
  })
  child.unref()
}
