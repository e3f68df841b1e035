/**
 * The example of several servers on one machine is run as it is, and talked to as its text says:
 * mail comes in anywhere and is seen everywhere, servers go and come back, and Ctrl-C leaves
 * nothing.
 */

import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { requireDovecot, requireFuse, requireRoot } from '../support/prerequisites.ts'
import { PLAINLY } from '../support/roost-mount.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/cluster', import.meta.url))
const PATIENCE_MS = 60_000
const LOOK_MS = 200

t.setTimeout(300_000)
t.before(() => {
  requireRoot()
  requireFuse()
  requireDovecot()
})

t.test(
  'three servers: one is unplugged, one is cut off, and all see all mail in the end',
  async t => {
    const { server, end } = await runExample(t, 'three')
    await server(1, 'deliver', 'ann', 'one')
    await server(2, 'deliver', 'ann', 'two')
    for (const n of [1, 2, 3]) await untilRead(n, ['one', 'two'])

    await server(1, 'unplug')
    await t.rejects(server(1, 'read', 'ann'), /switched off/)
    await server(2, 'deliver', 'ann', 'three')
    await untilRead(3, ['one', 'two', 'three'])
    await server(1, 'start')
    await untilRead(1, ['one', 'two', 'three'])
    await server(1, 'deliver', 'ann', 'four')
    await untilRead(3, ['one', 'two', 'three', 'four'])

    await server(3, 'cut')
    await t.rejects(server(3, 'deliver', 'ann', 'never'), /^451 /m, 'who is cut off says so')
    // Dovecot may want to write before it shows a folder, and then does not show it.
    const files = await server(3, 'run', 'find', '/srv/mail/ann/Maildir', '-name', '*.mail?,*')
    t.equal(files.trim().split('\n').length, 4, 'and what it has can be read')
    await server(2, 'deliver', 'ann', 'five')
    await server(3, 'rejoin')
    for (const n of [1, 2, 3]) await untilRead(n, ['one', 'two', 'three', 'four', 'five'])
    await end()

    async function untilRead(n: number, subjects: readonly string[]): Promise<void> {
      const wanted = subjects.map(subject => `${subject}\n`).join('')
      let seen = ''
      for (const end = performance.now() + PATIENCE_MS; performance.now() < end;) {
        seen = await server(n, 'read', 'ann').catch(String)
        if (seen === wanted) break
        await pause(LOOK_MS)
      }
      t.equal(seen, wanted, `server ${n} has ${subjects.join(', ')}`)
    }
  }
)

t.test('two servers and a witness, on ports of this machine: one is stopped', async t => {
  const { server, end } = await runExample(t, 'two-and-witness', '--loopback')
  await server(1, 'deliver', 'bob', 'one')
  await server(1, 'kill')
  await server(1, 'deliver', 'bob', 'two')
  await server(1, 'stop')
  await server(2, 'deliver', 'bob', 'three')
  t.equal(await server(2, 'read', 'bob'), 'one\ntwo\nthree\n')
  t.match(await server(2, 'status'), /replica 1 at .* is away/)
  t.match(await server(3, 'status'), /votes/)
  await t.rejects(server(2, 'cut'), /not cut off with --loopback/)
  const imap = `printf 'a SELECT INBOX\\r\\nb LOGOUT\\r\\n' | ${EXAMPLE}/server 2 imap bob | cat`
  t.match(await server(0, imap), /^\* 3 EXISTS\r$/m)
  await end()
})

interface Example {
  /** What the server's answer was; for server 0, that of a shell on this machine. */
  readonly server: (n: number, ...words: readonly string[]) => Promise<string>
  /** Ctrl-C; looks whether anything is left. */
  readonly end: () => Promise<void>
}

async function runExample(t: Test, ...words: readonly string[]): Promise<Example> {
  const directory = await mkdtemp(join(tmpdir(), 'roost-example-'))
  const place = join(directory, 'cluster')
  const env = { ...process.env, CLUSTER: place }
  const [program, ...args] = [...PLAINLY, join(EXAMPLE, 'run'), ...words]
  // As a shell does it: in a process group, all of which hears of a Ctrl-C.
  const run = spawn(program, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>(resolve => run.once('exit', resolve))
  let output = ''
  for (const stream of [run.stdout, run.stderr]) {
    stream.on('data', (text: Buffer) => void (output += text.toString()))
  }
  t.teardown(async () => {
    run.kill('SIGKILL')
    await ended
    await rm(directory, { recursive: true, force: true })
  })
  for (const limit = performance.now() + PATIENCE_MS; !output.includes('Ctrl-C');) {
    const isOver = run.exitCode !== null || performance.now() > limit
    if (isOver) throw new Error(`the example does not start: ${output}`)
    await pause(LOOK_MS)
  }
  return {
    server: (n, ...wordsThere) => {
      const script = [join(EXAMPLE, 'server'), String(n), ...wordsThere]
      return answerOf(n === 0 ? ['sh', '-c', ...wordsThere] : script, env)
    },
    end: async () => {
      if (run.pid !== undefined) process.kill(-run.pid, 'SIGINT')
      t.equal(await ended, 0, 'it ends well')
      t.notOk(existsSync(place), 'its directory is gone')
      t.same(await processesOf(place), [], 'no process is left')
    }
  }
}

/** @throws with what it printed, when its exit code is not 0. */
function answerOf(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const [program, ...args] = [...PLAINLY, ...argv]
  return new Promise((resolve, reject) => {
    execFile(program, args, { env, timeout: PATIENCE_MS }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${stdout}${stderr}`, { cause: error }))
    })
  })
}

/** The servers' processes all have its place in their environment. */
async function processesOf(place: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async pid => {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
      return environment.split('\0').includes(`CLUSTER=${place}`) ? [pid] : []
    })
  )
  return found.flat()
}
