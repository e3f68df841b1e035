/**
 * Two stores and a witness: each of the stores dies in turn, under a file that both have written.
 * The other goes on with one copy, and both have all of it when the dead one is back.
 */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { RoostCluster, type ClusterMember } from '../support/roost-cluster.ts'

const run = promisify(execFile)
const PATIENCE_MS = 30_000

t.setTimeout(300_000)

t.test('either of two stores may die', async t => {
  const cluster = await RoostCluster.start(t, { stores: 2, copies: 2, witness: true })
  const [first, second] = cluster.stores as [ClusterMember, ClusterMember]
  await shell(`mkdir ${first.mountpoint}/user`)
  await append(first, 'one')
  await append(second, 'two')
  t.equal(await textOf(second), 'one two ')

  for (const [dead, alive, word] of [
    [second, first, 'three'],
    [first, second, 'four']
  ] as const) {
    await dead.kill()
    await append(alive, word)
    const alone = await alive.cluster()
    t.ok(alone?.isValid, 'the witness makes a majority with whoever is left')
    t.ok((alone?.volumesShort ?? 0) > 0, 'it is told that copies are missing')
    await dead.start()
    await cluster.settle()
    t.equal((await alive.cluster())?.volumesShort, 0, 'there are two copies again')
    t.equal(await textOf(dead), await textOf(alive), 'the one that is back has what it missed')
  }
  t.equal(await textOf(first), 'one two three four ', 'nothing is lost, and nothing twice')
})

t.test('a member without a majority answers with an error', async t => {
  const cluster = await RoostCluster.start(t, { stores: 2, copies: 2, witness: true })
  const [first, second, witness] = cluster.members as [ClusterMember, ClusterMember, ClusterMember]
  await shell(`mkdir ${first.mountpoint}/user`)
  await append(first, 'one')
  await second.kill()
  await witness.kill()
  await t.rejects(append(first, 'lost'), /Input\/output error|I\/O error/, 'it writes nothing')
  // What it had taken before it knew is shown until somebody says otherwise.
  t.match(await textOf(first), /^one (lost )?$/, 'and reads on')
  await second.start()
  await witness.start()
  await cluster.settle()
  await append(second, 'two')
  t.match(await textOf(second), /^one (lost )?two $/)
})

async function append({ mountpoint }: ClusterMember, word: string): Promise<void> {
  await shell(`printf '%s ' ${word} >> ${mountpoint}/user/file && sync ${mountpoint}/user/file`)
}

async function textOf({ mountpoint }: ClusterMember): Promise<string> {
  return shell(`cat ${mountpoint}/user/file`)
}

/** By another process, which may hang without us. */
async function shell(command: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', command], { timeout: PATIENCE_MS })
  return stdout
}
