import type { RaftInput, RaftMessage, RaftOutput } from '../../lib/council/raft-io.ts'
import { emptyRaft, startRaft, type RaftState } from '../../lib/council/raft-state.ts'
import { RAFT_RULES } from '../../lib/council/raft-turn.ts'
import { stepRaft } from '../../lib/council/raft.ts'
import type { ReplicaId } from '../../lib/ids.ts'

/** Voters whose messages and syncs happen when a test says so. */
export class RaftGroup {
  readonly states: readonly RaftState<string>[]
  readonly cut = new Set<number>()
  readonly decided = new Map<number, string[]>()
  /** Of interest to whoever uses a voter. */
  readonly outputs: RaftOutput<string>[] = []
  readonly votes: RaftMessage<string>[] = []
  syncs = true
  #messages: [number, number, RaftMessage<string>][] = []

  constructor(count: number) {
    const voters = Array.from({ length: count }, (_, i) => (i + 1) as ReplicaId)
    this.states = voters.map(() => startRaft(emptyRaft<string>({ voters }, Buffer.alloc(0)), 15))
  }

  voter(id: number): RaftState<string> {
    return this.states[id - 1] as RaftState<string>
  }

  input(id: number, input: RaftInput<string>): void {
    const setup = {
      self: id as ReplicaId,
      chance: () => 0.5,
      entriesPerMessageMax: 2,
      rules: RAFT_RULES
    }
    for (const output of stepRaft(this.voter(id), input, setup)) {
      if (output.kind === 'send') {
        if (output.message.kind === 'voted') this.votes.push(output.message)
        this.#messages.push([id, output.to, output.message])
      } else if (output.kind === 'decided') {
        const commands = output.entries.flatMap(({ command }) => command ?? [])
        this.decided.set(id, [...(this.decided.get(id) ?? []), ...commands])
      } else if (output.kind === 'restored') this.decided.set(id, ['restored'])
      else if (output.kind !== 'write' && output.kind !== 'leader') this.outputs.push(output)
    }
  }

  ticks(id: number, count: number): void {
    for (let i = 0; i < count; i++) {
      this.input(id, { kind: 'tick' })
      if (this.syncs) this.input(id, { kind: 'synced', write: this.voter(id).writes })
    }
  }

  elect(id: number): void {
    this.ticks(id, 20)
    this.settle()
    if (this.voter(id).role.kind !== 'leader') throw new Error(`${id} does not lead`)
  }

  /** All syncs are done and all messages heard, and what comes of them. */
  settle(): void {
    for (let i = 0; i < 10_000; i++) {
      if (this.syncs) {
        this.states.forEach(({ writes }, at) =>
          this.input(at + 1, { kind: 'synced', write: writes })
        )
      }
      const next = this.#messages.shift()
      if (next === undefined) return
      const [from, to, message] = next
      if (this.cut.has(from) || this.cut.has(to)) continue
      this.input(to, { kind: 'message', from: from as ReplicaId, message })
    }
    throw new Error('messages without end')
  }
}
