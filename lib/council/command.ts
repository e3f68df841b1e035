/** What can be asked of the council, and what it answers. */

import type { Epoch, ReplicaId, SessionId, VolumeId } from '../ids.ts'
import type { HistoryPoint } from './lease-record.ts'

/** Stores keep history and bodies, caches what they use, witnesses nothing: they only vote. */
export type Role = 'store' | 'cache' | 'witness'

/** One volume in a command about many; `epoch` is the one that the asker believes current. */
export interface VolumeClaim {
  readonly volume: VolumeId
  readonly epoch: Epoch
}

export interface VolumeRelease extends VolumeClaim {
  readonly base: HistoryPoint
}

export interface VolumeResize extends VolumeClaim {
  readonly dataSet: readonly ReplicaId[]
  readonly copies: number
}

/** Commands that change who is a member or votes; the log takes one of them at a time. */
export type MembershipCommand =
  | {
      readonly kind: 'addMember'
      readonly replica: ReplicaId
      readonly key: string
      readonly storeId: string
      readonly role: Role
    }
  | { readonly kind: 'removeMember'; readonly replica: ReplicaId }
  | { readonly kind: 'setVoter'; readonly replica: ReplicaId; readonly isVoter: boolean }

export type Command =
  | MembershipCommand
  /** A run of a replica begins; whatever session it had before is over. */
  | {
      readonly kind: 'open'
      readonly replica: ReplicaId
      readonly storeId: string
      /** Counted up durably before each run; one that came before is refused. */
      readonly boot: number
      /** Drawn for this run, so that a repeated question is told from a copied directory. */
      readonly nonce: string
    }
  | { readonly kind: 'end'; readonly ended: SessionId }
  | { readonly kind: 'claim'; readonly volumes: readonly VolumeClaim[] }
  | {
      readonly kind: 'grant'
      readonly volume: VolumeId
      readonly epoch: Epoch
      readonly base: HistoryPoint
      readonly to: SessionId
    }
  | { readonly kind: 'release'; readonly volumes: readonly VolumeRelease[] }
  | { readonly kind: 'resize'; readonly volumes: readonly VolumeResize[] }
  /** An operator gives up what the old data set may have had; never done by a replica itself. */
  | {
      readonly kind: 'force'
      readonly volume: VolumeId
      readonly dataSet: readonly ReplicaId[]
      readonly copies: number
    }

export type CommandKind = Command['kind']

/**
 * A command as it is sent, and sent again until it is answered.
 *
 * `number` counts a session's requests from 1, so that a repeated one is answered and not done
 * twice. `settled` says which of them (it and all before) are answered and never sent again; their
 * answers need not be kept. What belongs to no session (an `open`, an `end` by the leader) has
 * session 0 and is harmless when repeated.
 */
export interface CouncilRequest {
  readonly session: SessionId | 0
  readonly number: number
  readonly settled: number
  readonly command: Command
}

export type Refusal =
  | 'boot'
  | 'dataSet'
  | 'inUse'
  | 'notHolder'
  | 'notMember'
  | 'notNew'
  | 'sessionAlive'
  | 'sessionEnded'
  | 'settled'
  | 'storeId'
  | 'tooMany'

/** A refusal changes nothing, and is final for its request: a repetition gets the same. */
export type CouncilAnswer =
  | {
      readonly kind: 'done'
      /** Of an `open`: the session that has begun. */
      readonly session?: SessionId
      /** Of a command about many volumes: those whose guard failed, for which nothing changed. */
      readonly refused: readonly VolumeId[]
    }
  | { readonly kind: 'refused'; readonly why: Refusal }

export function isMembershipCommand(command: Command): command is MembershipCommand {
  return (
    command.kind === 'addMember' || command.kind === 'removeMember' || command.kind === 'setVoter'
  )
}
