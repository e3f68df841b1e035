/** What a cluster begins with: the volumes that its first member had when it was alone. */

import type { CouncilState } from '../council/council-state.ts'
import { foundedState } from '../council/founding.ts'
import type { SessionId } from '../ids.ts'
import type { Keeper } from '../keeper/keeper.ts'
import type { ClusterIdentity } from '../peer/cluster-identity.ts'

/** @returns undefined for a member that has joined others */
export async function foundedOf(
  { founders, replica, publicKey, copies }: ClusterIdentity,
  storeId: string,
  keeper: Keeper
): Promise<CouncilState | undefined> {
  const [founder] = founders
  if (founders.length !== 1 || founder?.replica !== replica) return undefined
  return foundedState({
    copies,
    founder: { replica, key: publicKey, storeId, role: 'store' },
    volumes: await keeper.heads(),
    firstSession: (keeper.session + 1) as SessionId
  })
}
