/** What the tools ask a member of a cluster. */

import { RoostError } from '../errors.ts'
import type { LeaseReport } from '../host/cluster-report.ts'
import type { Membership } from '../replica.ts'

export type ClusterQuestion =
  | { readonly verb: 'invite'; readonly ttlMs: number }
  | { readonly verb: 'leases' }
  /** About the volume at a path below the mount point. */
  | { readonly verb: 'volume' | 'move'; readonly path: string }

export interface InviteAnswer {
  readonly token: string
}

export interface LeasesAnswer {
  readonly leases: readonly LeaseReport[]
}

/** @throws RoostError BAD_CONFIG no cluster, NOT_FOUND, PEER_FAILED */
export async function answerCluster(
  question: ClusterQuestion,
  membership: Membership | undefined
): Promise<object> {
  if (membership === undefined) {
    throw new RoostError('BAD_CONFIG', 'this store belongs to no cluster; see roost init --listen')
  }
  const { member, report } = membership
  switch (question.verb) {
    case 'invite':
      return { token: await member.invite(question.ttlMs) } satisfies InviteAnswer
    case 'leases':
      return { leases: await report.leases() } satisfies LeasesAnswer
    case 'volume':
      return report.volume(question.path)
    case 'move':
      report.move(question.path)
      return {}
  }
}
