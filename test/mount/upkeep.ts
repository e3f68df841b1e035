/**
 * A long history leaves no long log: under endless changes log and store stay bounded, and what a
 * kill leaves is not more than that for the next start to go through.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { SEGMENT_SIZE } from '../../lib/feed/segment.ts'
import { bytesBelow } from '../support/disk-usage.ts'
import { mountRoost, PLAINLY } from '../support/roost-mount.ts'
import { shellOk } from './place.ts'

const MIB = 1024 * 1024
const WRITER = fileURLToPath(new URL('flags-writer.mjs', import.meta.url))
/** The shortest distance between checkpoints that can be set: one segment. */
const MOUNT_ARGS = ['--set', 'log.checkpoint_bytes=16MiB']
const MESSAGES = 100
const ROUNDS = 50
/** What one round adds to the log, at the least: all that it writes is history. */
const ROUND_BYTES = 4 * MIB
/**
 * One segment may wait for the checkpoint and one for the store, by each of which a batch may be
 * too late; one is written, and one is ready.
 */
const LOG_BYTES_MAX = 6 * SEGMENT_SIZE
const STORE_BYTES_MAX = 4 * MIB
const LOOK_MS = 20

t.test('log and store stay bounded under endless changes, and after a kill', async t => {
  const mount = await mountRoost(t, { mountArgs: MOUNT_ARGS })
  const user = join(mount.mountpoint, 'user')
  const logBytes = (): number => bytesBelow(join(mount.dataDir, 'feeds'))
  const args = [...PLAINLY.slice(1), process.execPath, WRITER, user, String(MESSAGES)]
  const write = spawn(PLAINLY[0], [...args, String(ROUNDS)], { stdio: 'inherit' })
  t.teardown(() => write.kill('SIGKILL'))
  const written = once(write, 'exit')
  let longest = 0
  while (write.exitCode === null && write.signalCode === null) {
    longest = Math.max(longest, logBytes())
    await pause(LOOK_MS)
  }
  t.strictSame(await written, [0, null])
  const { log } = await mount.status()
  t.ok((log?.appended ?? 0) >= ROUNDS * ROUND_BYTES, 'the history is many times as long as the log')
  t.ok(longest <= LOG_BYTES_MAX, `${String(longest)} bytes of log`)
  t.ok(bytesBelow(join(mount.dataDir, 'store')) <= STORE_BYTES_MAX)
  await mount.kill()
  await mount.restart()
  t.ok(logBytes() <= 2 * SEGMENT_SIZE, 'what was gone through is let go')
  const names = await shellOk('ls "$1/cur" | grep -c ":2,$"', user)
  t.equal(Number(names), MESSAGES)
  t.equal(await shellOk('stat -c %s "$1/dovecot.index.log"', user), '32768\n')
  t.ok(bytesBelow(join(mount.dataDir, 'containers')) <= ROUND_BYTES)
})
