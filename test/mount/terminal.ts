/** Runs a command on a terminal of its own, and presses Ctrl-C. */

import { spawn } from 'node:child_process'
import { PLAINLY } from '../support/roost-mount.ts'

const CTRL_C = '\x03'
const PATIENCE_MS = 60_000

/** Runs `words` until the output matches, then interrupts. Where it never does, that is seen. */
export async function onTerminal(
  words: readonly string[],
  interruptAt: RegExp
): Promise<{ code: number | null; output: string }> {
  const line = [...PLAINLY, ...words].map(word => `'${word}'`).join(' ')
  const args = ['--quiet', '--return', '--command', `exec ${line}`, '/dev/null']
  const child = spawn('script', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  let output = ''
  let isPressed = false
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (isPressed || !interruptAt.test(output)) return
    isPressed = true
    child.stdin.write(CTRL_C)
  })
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  clearTimeout(patience)
  return { code, output }
}
