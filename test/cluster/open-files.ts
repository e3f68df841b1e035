/** A file that is open on one replica while another takes its name away. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { RoostCluster, type ClusterMember } from '../support/roost-cluster.ts'

const run = promisify(execFile)
const PATIENCE_MS = 30_000

t.setTimeout(120_000)

t.test('it can be looked at and locked as a file without a name', async t => {
  const cluster = await RoostCluster.start(t, { stores: 2, copies: 2 })
  const [first, second] = cluster.stores as [ClusterMember, ClusterMember]
  const [one, other] = [`${first.mountpoint}/user`, `${second.mountpoint}/user`]
  await shell(`mkdir ${one} && touch ${one}/lock ${one}/old && sync ${one}/old`)
  await shell(`until [ -e ${other}/old ]; do sleep 0.05; done`)
  // The shell has both open on the second replica when the first removes and replaces them.
  const seen = await shell(`
    exec 8<>${other}/lock 9<>${other}/old
    rm ${one}/lock && touch ${one}/new && mv ${one}/new ${one}/old && sync ${one}/old
    until [ ! -e ${other}/lock ] && [ ! -e ${other}/new ]; do sleep 0.05; done
    flock -n 8 && flock -n 9 && echo locked
    stat -L -c %h /dev/fd/8 /dev/fd/9
    printf x >&8 || echo refused
  `)
  t.equal(seen, 'locked\n0\n0\nrefused\n', 'it has no name, can be locked, and is not written to')
})

/** By another process, which may hang without us. */
async function shell(command: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', command], { timeout: PATIENCE_MS })
  return stdout
}
