/**
 * Messages about volumes on their way to other replicas.
 *
 * Every message costs each side system calls, wake-ups and a sync, whatever is in it. So what
 * nobody waits for, a holder's entries and what is acknowledged, waits a few milliseconds for
 * company and goes as one; everything else leaves at the end of the step, with all before it.
 */

import type { ReplicaId, VolumeId } from '../ids.ts'
import type { Clock } from '../io/clock.ts'
import { boundedMessages } from '../volume/bounded-message.ts'
import { mergedAppend } from '../volume/merged-append.ts'
import {
  encodeVolumeBatch,
  type AddressedMessage,
  type ReplicaVolumeMessage
} from '../volume/volume-wire.ts'

/** How long a message waits for company. */
export const COMPANY_MS = 4
/** How long one does that somebody waits for, while there is work that may add to it. */
const HURRIED_MS = 1
/** Messages in one batch. */
const BATCH_MESSAGES_MAX = 24
/** Bytes of entries in one message, so that a batch is well below what a connection takes. */
const MESSAGE_BYTES_MAX = 1024 * 1024

export class Outbox {
  readonly #clock: Clock
  readonly #send: (to: ReplicaId, bytes: Uint8Array) => void
  readonly #lanes = new Map<ReplicaId, Lane>()
  #isHurried = false
  #sinceMs = 0

  /** @param send takes a batch to where it leaves */
  constructor(clock: Clock, send: (to: ReplicaId, bytes: Uint8Array) => void) {
    this.#clock = clock
    this.#send = send
  }

  get isEmpty(): boolean {
    return this.#lanes.size === 0
  }

  push(to: ReplicaId, volume: VolumeId, message: ReplicaVolumeMessage): void {
    if (this.isEmpty) this.#sinceMs = this.#clock.monotonicMs()
    const lane = this.#lanes.get(to) ?? new Lane()
    this.#lanes.set(to, lane)
    lane.push(volume, message)
    if (!canWait(message)) this.#isHurried = true
  }

  /** Somebody waits for what others say to messages that are in here. */
  hurry(): void {
    this.#isHurried = true
  }

  /**
   * To be called after every step: sends what is due.
   *
   * @param isIdle nothing is there to be done that might add to it
   * @returns whether something was sent
   */
  flush(isIdle: boolean): boolean {
    if (this.isEmpty) this.#isHurried = false
    if (this.isEmpty || !this.#isDue(isIdle)) return false
    this.#isHurried = false
    for (const [to, lane] of this.#lanes) {
      const messages = lane.messages.flatMap(({ volume, message }) => {
        return boundedMessages(message, MESSAGE_BYTES_MAX).map(part => ({ volume, message: part }))
      })
      for (let at = 0; at < messages.length; at += BATCH_MESSAGES_MAX) {
        this.#send(to, encodeVolumeBatch(messages.slice(at, at + BATCH_MESSAGES_MAX)))
      }
    }
    this.#lanes.clear()
    return true
  }

  #isDue(isIdle: boolean): boolean {
    if (this.#isHurried && isIdle) return true
    const ageMs = this.#clock.monotonicMs() - this.#sinceMs
    return ageMs >= (this.#isHurried ? HURRIED_MS : COMPANY_MS)
  }
}

/** What waits for one replica. */
class Lane {
  readonly messages: AddressedMessage[] = []
  /** Places of the last messages about each volume. */
  readonly #last = new Map<VolumeId, number>()

  push(volume: VolumeId, message: ReplicaVolumeMessage): void {
    const at = this.#last.get(volume)
    const last = at === undefined ? undefined : this.messages[at]
    const merged = last && mergedAppend(last.message, message)
    if (at !== undefined && merged !== undefined) {
      this.messages[at] = { volume, message: merged }
      return
    }
    this.#last.set(volume, this.messages.length)
    this.messages.push({ volume, message })
  }
}

/** Until an epoch's beginning is acknowledged its holder can do nothing. */
function canWait(message: ReplicaVolumeMessage): boolean {
  if (message.kind !== 'append') return false
  return message.entries.every(({ logged }) => logged.entry.change.kind !== 'begin')
}
