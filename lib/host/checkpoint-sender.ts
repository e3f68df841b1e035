/**
 * Sends checkpoints to peers that ask for them, no faster than they take them.
 *
 * A view of the store stays open until the peer has the bodies as well, so that none of them is
 * deleted meanwhile.
 */

import { RoostError } from '../errors.ts'
import type { Index, ReplicaId, VolumeId } from '../ids.ts'
import { exportCheckpoint } from '../keeper/checkpoint-export.ts'
import type { TreeView } from '../keeper/tree-view.ts'
import { volumeKey } from '../store/keys.ts'
import { decodeVolume } from '../store/records.ts'
import { encodeCheckpointMessage, type CheckpointMessage } from './checkpoint-message.ts'
import type { CheckpointPort } from './checkpoint-port.ts'

/** Bytes sent and not taken yet. */
export const WINDOW_BYTES = 1024 * 1024
/** Transfers at a time; whoever asks for more is told to come back. */
const SENDS_MAX = 8
/** A peer that says nothing for so long is given up. */
const SILENCE_MS = 60_000

interface Send {
  readonly to: ReplicaId
  readonly number: number
  taken: number
  isOver: boolean
  cancelTimer: () => void
  /** Called when something was taken, or it is over. */
  wake: () => void
}

export class CheckpointSender {
  readonly #port: CheckpointPort
  readonly #sends = new Set<Send>()

  constructor(port: CheckpointPort) {
    this.#port = port
  }

  /** Transfers that are not over. */
  get count(): number {
    return this.#sends.size
  }

  /** A peer asks for a checkpoint. */
  want(to: ReplicaId, number: number, volume: VolumeId, index: Index): void {
    if (this.#sends.size >= SENDS_MAX) {
      void this.#say(to, { kind: 'none', number, why: 'too many are sent already' })
      return
    }
    const send: Send = {
      to,
      number,
      taken: 0,
      isOver: false,
      cancelTimer: () => undefined,
      wake: () => undefined
    }
    this.#sends.add(send)
    this.#watch(send)
    void this.#run(send, volume, index).finally(() => {
      send.cancelTimer()
      this.#sends.delete(send)
    })
  }

  /** A peer has taken so many bytes of a transfer. */
  taken(to: ReplicaId, number: number, size: number): void {
    const send = this.#find(to, number)
    if (send === undefined) return
    send.taken = Math.max(send.taken, size)
    this.#watch(send)
    send.wake()
  }

  done(to: ReplicaId, number: number): void {
    const send = this.#find(to, number)
    if (send !== undefined) end(send)
  }

  peerDown(peer: ReplicaId): void {
    for (const send of this.#sends) if (send.to === peer) end(send)
  }

  close(): void {
    for (const send of this.#sends) end(send)
  }

  async #run(send: Send, volume: VolumeId, index: Index): Promise<void> {
    const { to, number } = send
    let view: TreeView | undefined
    try {
      view = await this.#port.openView()
      await mustCover(view, volume, index)
      await this.#stream(send, view, volume)
      if (!send.isOver) await this.#port.send(to, encodeCheckpointMessage({ kind: 'end', number }))
      // The view keeps the bodies as long as the peer fetches them.
      while (!send.isOver) await nextWake(send)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      await this.#say(to, { kind: 'none', number, why })
    } finally {
      await view?.close()
    }
  }

  async #stream(send: Send, view: TreeView, volume: VolumeId): Promise<void> {
    let sent = 0
    for await (const bytes of exportCheckpoint(view, volume)) {
      while (!send.isOver && sent + bytes.length - send.taken > WINDOW_BYTES) await nextWake(send)
      if (send.isOver) return
      const message = { kind: 'chunk', number: send.number, bytes } as const
      await this.#port.send(send.to, encodeCheckpointMessage(message))
      sent += bytes.length
    }
  }

  async #say(to: ReplicaId, message: CheckpointMessage): Promise<void> {
    try {
      await this.#port.send(to, encodeCheckpointMessage(message))
    } catch {
      // Nobody is there to be told.
    }
  }

  #find(to: ReplicaId, number: number): Send | undefined {
    return [...this.#sends].find(send => send.to === to && send.number === number)
  }

  #watch(send: Send): void {
    send.cancelTimer()
    send.cancelTimer = this.#port.after(SILENCE_MS, () => {
      end(send)
    })
  }
}

async function mustCover(view: TreeView, volume: VolumeId, index: Index): Promise<void> {
  const stored = await view.get(volumeKey(volume))
  const here = stored === undefined ? 0 : decodeVolume(stored).index
  if (stored !== undefined && here >= index) return
  throw new RoostError('NOT_FOUND', `volume ${volume} is at ${here} here, before ${index}`)
}

function nextWake(send: Send): Promise<void> {
  return new Promise(resolve => {
    send.wake = resolve
  })
}

function end(send: Send): void {
  send.isOver = true
  send.wake()
}
