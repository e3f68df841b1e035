/**
 * What nobody asks to be synced is synced all the same, and then kept where it belongs.
 *
 * The main thread takes from the log only what is durable, so bytes that reach a container or a
 * blob file have been synced. The test looks at these files alone while it waits, and so does not
 * wake the daemon.
 */

import { createHash } from 'node:crypto'
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { mountRoost } from '../support/roost-mount.ts'
import { shellOk } from './place.ts'

const LOOK_MS = 20
const INDEX = 'a line of an index that nobody syncs\n'
const BODY = 'a message that nobody syncs\n'

t.test('a daemon syncs and keeps what was written, without being asked', async t => {
  const mount = await mountRoost(t)
  const { dataDir, mountpoint } = mount
  const { log: before } = await mount.status()
  const write = 'mkdir -p "$1/user/cur"; printf %s "$2" >"$1/user/dovecot.index.log"; '
  await shellOk(`${write} printf %s "$3" >"$1/user/cur/1"`, mountpoint, INDEX, BODY)
  const hash = createHash('sha256').update(BODY).digest('hex')
  const blob = join(dataDir, 'blobs', hash.slice(0, 2), hash)
  while (!(await containersIn(dataDir)).includes(INDEX)) await pause(LOOK_MS)
  while (!(await isThere(blob))) await pause(LOOK_MS)
  const { log, fuse } = await mount.status()
  t.equal(log?.durable, log?.appended, 'nothing is left to be synced')
  t.ok((log?.durable ?? 0) > (before?.durable ?? 0) + INDEX.length + BODY.length)
  const requests: Record<string, number> = fuse?.requests ?? {}
  t.match(requests, { MKDIR: 2, CREATE: 2, WRITE: 2 })
  t.strictSame([requests['FSYNC'], requests['FSYNCDIR']], [undefined, undefined])
})

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
}

/** The contents of all containers. */
async function containersIn(dataDir: string): Promise<string[]> {
  const directory = join(dataDir, 'containers')
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile())
  return Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'utf8')))
}
