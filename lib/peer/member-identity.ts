/** What a replica writes down when it has become a member. */

import type { ClusterIdentity } from './cluster-identity.ts'
import type { Joiner } from './join-cluster.ts'
import type { Welcome } from './join-message.ts'

/** The identity that `joiner` has in the cluster which welcomed it. */
export function memberIdentity(joiner: Joiner, welcome: Welcome, name?: string): ClusterIdentity {
  const { keys, role, listen } = joiner
  const { clusterId, replica, copies, members } = welcome
  return { ...keys, clusterId, replica, name, listen, role, copies, founders: members }
}
