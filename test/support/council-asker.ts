/** A council of a few stores in memory, and sessions that ask it. */

import { CouncilFold } from '../../lib/council/council-fold.ts'
import { foundCouncil, type Founder } from '../../lib/council/council-state.ts'
import type { Command, CouncilAnswer, Role } from '../../lib/council/command.ts'
import type { Epoch, Index, ReplicaId, SessionId, VolumeId } from '../../lib/ids.ts'
import type { HistoryPoint } from '../../lib/council/lease-record.ts'

export function founderOf(replica: number, role: Role = 'store'): Founder {
  const name = `replica-${replica}`
  return { replica: replica as ReplicaId, key: name, storeId: name, role, isVoter: true }
}

export function foundFold(copies: number, roles: readonly Role[]): CouncilFold {
  return new CouncilFold(
    foundCouncil(
      copies,
      roles.map((role, i) => founderOf(i + 1, role))
    )
  )
}

/** Numbers its requests; each is answered at once. */
export class CouncilAsker {
  readonly fold: CouncilFold
  readonly session: SessionId
  number = 0

  constructor(fold: CouncilFold, replica: number, boot = 1) {
    this.fold = fold
    const nonce = `${replica}-${boot}`
    const storeId = `replica-${replica}`
    const opened = anonymous(fold, {
      kind: 'open',
      replica: replica as ReplicaId,
      storeId,
      boot,
      nonce
    })
    if (opened.kind !== 'done' || opened.session === undefined) throw new Error('not opened')
    this.session = opened.session
  }

  ask(command: Command, settled = this.number): CouncilAnswer {
    this.number++
    return this.fold.apply({ session: this.session, number: this.number, settled, command })
  }

  claim(volume: number, epoch: number): CouncilAnswer {
    return this.ask({
      kind: 'claim',
      volumes: [{ volume: volume as VolumeId, epoch: epoch as Epoch }]
    })
  }
}

export function anonymous(fold: CouncilFold, command: Command): CouncilAnswer {
  return fold.apply({ session: 0, number: 0, settled: 0, command })
}

export function pointOf(epoch: number, index: number, hash = `${epoch}.${index}`): HistoryPoint {
  return { epoch: epoch as Epoch, index: index as Index, hash }
}
