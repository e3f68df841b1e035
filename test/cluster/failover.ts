/**
 * Two stores and a witness: each of the stores dies in turn, under a file that both have written.
 * The other goes on with one copy, and both have all of it when the dead one is back.
 */

import { execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { RoostCluster, type ClusterMember } from '../support/roost-cluster.ts'
import { runRoost } from '../support/roost-mount.ts'

const run = promisify(execFile)
const PATIENCE_MS = 30_000
/** One of two stores died: the other goes on within this. */
const GAP_MS_MAX = 5000

t.setTimeout(300_000)

t.test('either of two stores may die', async t => {
  const cluster = await RoostCluster.start(t, { stores: 2, copies: 2, witness: true })
  const [first, second] = cluster.stores as [ClusterMember, ClusterMember]
  await shell(`mkdir ${first.mountpoint}/user`)
  await append(first, 'one')
  await append(second, 'two')
  t.equal(await textOf(second), 'one two ')

  const witness = cluster.members.find(({ isWitness }) => isWitness) as ClusterMember
  const gaps: number[] = []
  for (const member of cluster.members) await saysThat(t, member, 0, /^OK: .*all 3 members/)
  for (const [dead, alive, word] of [
    [second, first, 'three'],
    [first, second, 'four']
  ] as const) {
    await dead.kill()
    const diedAt = performance.now()
    await append(alive, word)
    gaps.push(performance.now() - diedAt)
    const away = /^WARNING: .*is away/
    await saysThat(t, alive, 1, /^WARNING: .*is away.*fewer than 2 copies/)
    await saysThat(t, witness, 1, away)
    await saysThat(t, dead, 3, /^UNKNOWN: no daemon serves/)
    const alone = await alive.cluster()
    t.ok(alone?.isValid, 'the witness makes a majority with whoever is left')
    t.ok((alone?.volumesShort ?? 0) > 0, 'it is told that copies are missing')
    await dead.start()
    await cluster.settle()
    t.equal((await alive.cluster())?.volumesShort, 0, 'there are two copies again')
    t.equal(await textOf(dead), await textOf(alive), 'the one that is back has what it missed')
    for (const member of cluster.members) await saysThat(t, member, 0, /^OK/)
  }
  t.equal(await textOf(first), 'one two three four ', 'nothing is lost, and nothing twice')
  const text = gaps.map(ms => ms.toFixed(0)).join(' and ')
  t.ok(Math.min(...gaps) < GAP_MS_MAX, `the other went on after ${text} ms`)
})

t.test('a member without a majority answers with an error', async t => {
  const cluster = await RoostCluster.start(t, { stores: 2, copies: 2, witness: true })
  const [first, second, witness] = cluster.members as [ClusterMember, ClusterMember, ClusterMember]
  await shell(`mkdir ${first.mountpoint}/user`)
  await append(first, 'one')
  await second.kill()
  await witness.kill()
  await saysThat(t, first, 2, /^CRITICAL: no majority of the voters/)
  await t.rejects(append(first, 'lost'), /Input\/output error|I\/O error/, 'it writes nothing')
  // What it had taken before it knew is shown until somebody says otherwise.
  t.match(await textOf(first), /^one (lost )?$/, 'and reads on')
  await second.start()
  await witness.start()
  await cluster.settle()
  await append(second, 'two')
  t.match(await textOf(second), /^one (lost )?two $/)
})

/** `roost status --check` comes to say so. */
async function saysThat(
  t: Test,
  { dataDir }: ClusterMember,
  code: number,
  stdout: RegExp
): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    const said = await runRoost('status', '--check', '--data', dataDir)
    const isSo = said.code === code && stdout.test(said.stdout)
    if (isSo || performance.now() > end) {
      t.match(said, { code, stdout })
      return
    }
    await pause(200)
  }
}

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
