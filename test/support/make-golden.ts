/**
 * Makes the golden data directories of the format of today, which every later version must be
 * able to open. Run once for each format; what was released is never made again.
 *
 *     node --import @tapjs/typescript/import test/support/make-golden.ts test/fixtures/data/v1
 *
 * `closed` ended in good order. `killed` has a part of its history in the log alone.
 */

import * as fs from 'node:fs'
import { join } from 'node:path'
import { present } from '../../lib/util/assert.ts'
import { describeGolden, openGolden, trimSegments } from './golden.ts'
import { SimReplicaShell } from './sim-replica-shell.ts'
import type { SimReplica } from './sim-replica.ts'

const O_RDWR = 2
const RENAME_EXCHANGE = 2
/** With FALLOC_FL_KEEP_SIZE. */
const PUNCH_HOLE = 3

const target = present(process.argv[2], 'directory to write to')

for (const kind of ['closed', 'killed']) {
  const directory = join(target, kind)
  fs.rmSync(directory, { recursive: true, force: true })
  fs.mkdirSync(directory, { recursive: true })
  const replica = await openGolden(directory)
  await fill(replica)
  await replica.catchUp()
  await replica.keeper.writeCheckpoint()
  await changeMore(replica)
  await replica.syncThrough()
  await replica.applyBatch()
  await changeLast(replica)
  await replica.syncThrough()
  const description = await describeGolden(replica)
  if (kind === 'closed') await replica.close()
  else await replica.keeper.close()
  trimSegments(directory)
  removeEmpty(directory)
  for (const name of ['store/LOG', 'store/LOG.old', 'store/LOCK']) {
    fs.rmSync(join(directory, name), { force: true })
  }
  const text = `${JSON.stringify(description, undefined, 2)}\n`
  fs.writeFileSync(join(target, `${kind}.json`), text)
}

/** Every kind of entry and of file. */
async function fill(replica: SimReplica): Promise<void> {
  const shell = new SimReplicaShell(replica)
  for (const folder of ['cur', 'new', 'tmp']) await shell.mkdir(`anna/Maildir/${folder}`)
  await shell.write('anna/Maildir/tmp/1.host', 'a small message\n')
  await shell.rename('anna/Maildir/tmp/1.host', 'anna/Maildir/new/1.host')
  await shell.link('anna/Maildir/new/1.host', 'anna/Maildir/cur/1.host:2,S')
  await shell.write('anna/Maildir/cur/2.host:2,', Buffer.alloc(70_000, 'a large message\n'))
  await shell.write('anna/Maildir/dovecot-uidlist', '3 V1 N3\n1 :1.host\n2 :2.host\n')
  await shell.write('anna/notes', Buffer.alloc(66_000, 'grown\n'))
  await shell.mkdir('bert/mdbox/storage')
  await shell.write('bert/mdbox/storage/m.1', 'header first')
  await shell.write('bert/caf\xe9', 'a name that is not UTF-8')
  const { ino } = (await shell.node('bert')).attr
  await replica.run(() =>
    replica.vfs.names.symlink(ino, 'link', '../anna', { uid: 1000, gid: 1000 })
  )
}

async function changeMore(replica: SimReplica): Promise<void> {
  const shell = new SimReplicaShell(replica)
  const handle = await shell.open('bert/mdbox/storage/m.1')
  await shell.writeAt(handle, 12, ', second')
  await shell.fsync('bert/mdbox/storage/m.1')
  await shell.writeAt(handle, 0, 'HEADER')
  await shell.close(handle)
  await shell.truncate('anna/Maildir/dovecot-uidlist', 8)
  await shell.write('anna/Maildir/tmp/3.host', Buffer.alloc(70_000, 'another\n'))
}

async function changeLast(replica: SimReplica): Promise<void> {
  const shell = new SimReplicaShell(replica)
  await shell.rename('anna/Maildir/tmp/3.host', 'anna/Maildir/new/3.host')
  await shell.unlink('anna/Maildir/new/1.host')
  await shell.mkdir('cleo')
  await shell.write('cleo/subscriptions', 'INBOX\n')
  await shell.write('cleo/sparse.lock', 'x')
  await shell.truncate('cleo/sparse.lock', 5000)
  await shell.mkdir('bert/gone')
  const { ino } = (await shell.node('bert')).attr
  await replica.run(() => {
    replica.vfs.names.rmdir(ino, 'gone')
  })
  await changeByNewKinds(replica)
}

/** What came with format 2. */
async function changeByNewKinds(replica: SimReplica): Promise<void> {
  const { names, data, ranges, xattrs } = replica.vfs
  const shell = new SimReplicaShell(replica)
  const anna = (await shell.node('anna')).attr.ino
  const owner = { uid: 1000, gid: 1000 }
  await replica.run(() => {
    names.rename(anna, 'Maildir', anna, 'notes', RENAME_EXCHANGE)
  })
  await replica.run(() => {
    names.rename(anna, 'Maildir', anna, 'notes', RENAME_EXCHANGE)
  })
  await shell.write('anna/swapped', 'of other')
  await shell.write('anna/other', 'of swapped')
  await replica.run(() => {
    names.rename(anna, 'swapped', anna, 'other', RENAME_EXCHANGE)
  })
  await shell.write('anna/holes', Buffer.alloc(90_000, 'full '))
  const { ino: holes } = (await shell.node('anna/holes')).attr
  const hole = { ino: holes, mode: PUNCH_HOLE, offset: 5000, length: 70_000 }
  await replica.run(() => {
    ranges.fallocate({ ...hole, killsPrivileges: false })
  })
  const made = await replica.run(() => data.createUnnamed(anna, 0o600, O_RDWR, owner))
  await shell.writeAt(made.handle, 0, 'named late')
  await replica.run(() => names.link(made.node.attr.ino, anna, 'named'))
  await shell.close(made.handle)
  for (const name of ['user.kept', 'user.gone']) {
    await replica.run(() => {
      xattrs.set(holes, name, Buffer.from('a value'), 0)
    })
  }
  await replica.run(() => {
    xattrs.remove(holes, 'user.gone')
  })
}

function removeEmpty(directory: string): void {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const path = join(directory, entry.name)
    removeEmpty(path)
    if (fs.readdirSync(path).length === 0) fs.rmdirSync(path)
  }
}
