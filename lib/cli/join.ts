/** `roost join` */

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { RoostError } from '../errors.ts'
import {
  IDENTITY_FILE,
  initDataDirectory,
  lockDataDirectory,
  readIdentity,
  writeIdentity
} from '../io/data-directory.ts'
import { NodeDisk } from '../io/node-disk.ts'
import { newReplicaKeys, writeClusterIdentity, type MemberRole } from '../peer/cluster-identity.ts'
import { decodeToken } from '../peer/invite-token.ts'
import { joinCluster } from '../peer/join-cluster.ts'
import { memberIdentity } from '../peer/member-identity.ts'
import { addDataOptions, dataDirectoryOf, type DataFlags } from './config-options.ts'
import { listenOption } from './listen-option.ts'

interface JoinFlags extends DataFlags {
  readonly listen: string
  readonly role: MemberRole
}

export function addJoin(program: Command): void {
  const verb = program
    .command('join')
    .description('become a member of a cluster, with a token of roost invite')
    .argument('<token>', 'what roost invite has printed')
  addDataOptions(verb)
    .addOption(listenOption().makeOptionMandatory())
    .addOption(
      new Option('--role <role>', 'keep mail, or only vote')
        .choices(['store', 'witness'])
        .default('store')
    )
    .action(async (token: string, flags: JoinFlags, command: Command) => {
      const directory = resolve(dataDirectoryOf(flags, command))
      const replica = await becomeMember(token, directory, flags)
      process.stdout.write(`roost: ${directory} is replica ${replica} of the cluster now\n`)
    })
}

async function becomeMember(
  token: string,
  directory: string,
  { listen, role }: JoinFlags
): Promise<number> {
  // What is no invite makes no directory.
  decodeToken(token)
  if (!existsSync(join(directory, IDENTITY_FILE))) initDataDirectory(directory, 1)
  const identity = readIdentity(directory)
  checkFresh(directory)
  const lock = lockDataDirectory(directory)
  try {
    const joiner = { keys: newReplicaKeys(), storeId: identity.storeId, role, listen }
    const welcome = await joinCluster(token, joiner)
    const { replica, volumeDepth } = welcome
    writeIdentity(directory, { ...identity, volumeDepth })
    await writeClusterIdentity(new NodeDisk(directory), memberIdentity(joiner, welcome))
    return replica
  } finally {
    lock.release()
  }
}

/** What was stored alone cannot be taken along into a cluster that others have begun. */
function checkFresh(directory: string): void {
  if (!existsSync(join(directory, 'store')) && !existsSync(join(directory, 'cluster.json'))) return
  const what = `${directory} was in use already; a new member begins with an empty directory`
  throw new RoostError('DATA_UNUSABLE', what)
}
