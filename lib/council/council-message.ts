/** What a replica asks the council's leader, and what it is told. */

import type { ReplicaId, SessionId, VolumeId } from '../ids.ts'
import type { CouncilAnswer, CouncilRequest } from './command.ts'
import type { LeaseRecord } from './lease-record.ts'

/** `id` is the asker's, for one question of one run; asked again, it has another. */
export type CouncilMessage =
  | { readonly kind: 'request'; readonly id: number; readonly request: CouncilRequest }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: CouncilAnswer }
  | { readonly kind: 'renew'; readonly id: number; readonly session: SessionId }
  | { readonly kind: 'renewed'; readonly id: number; readonly isAlive: boolean }
  | { readonly kind: 'read'; readonly id: number; readonly volume: VolumeId }
  | {
      readonly kind: 'lease'
      readonly id: number
      readonly volume: VolumeId
      readonly position: number
      readonly record: LeaseRecord | undefined
      /** Where the holder's session runs, while it is alive. */
      readonly holder: ReplicaId | undefined
    }
  /** Ask somebody else; 0: the leader is not known here. */
  | { readonly kind: 'elsewhere'; readonly id: number; readonly leader: ReplicaId | 0 }

export type CouncilQuestion = Extract<CouncilMessage, { kind: 'request' | 'renew' | 'read' }>

/** Whether it is for the leader to answer, and not an answer itself. */
export function isQuestion(message: CouncilMessage): message is CouncilQuestion {
  return message.kind === 'request' || message.kind === 'renew' || message.kind === 'read'
}
