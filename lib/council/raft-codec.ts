/**
 * What a log of the council says and writes, as bytes.
 *
 * In a message, beyond its form, entries are checked to follow each other, and a snapshot to hold
 * a state of the council: a voter takes both at their word.
 */

import { RoostError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import type { ByteReader, ByteWriter } from '../util/bytes.ts'
import { putRequest, takeRequest } from './command-codec.ts'
import type { CouncilRequest } from './command.ts'
import { decodeCouncil } from './council-codec.ts'
import {
  putFlag,
  putList,
  putOptional,
  putReplicas,
  putWord,
  takeFlag,
  takeList,
  takeOptional,
  takeReplicas,
  takeWord
} from './council-fields.ts'
import type {
  LogPlace,
  RaftConfig,
  RaftEntry,
  RaftMessage,
  RaftSnapshot,
  RaftWrite
} from './raft-io.ts'

type Message = RaftMessage<CouncilRequest>
type Write = RaftWrite<CouncilRequest>
type Entry = RaftEntry<CouncilRequest>

/** Numbers of these are their places here; new ones go to the end. */
const MESSAGES: readonly Message['kind'][] = [
  'preVote',
  'preVoted',
  'vote',
  'voted',
  'append',
  'appended',
  'snapshot'
]
const WRITES: readonly Write['kind'][] = ['vote', 'append', 'cut', 'snapshot']

export function putRaftMessage(out: ByteWriter, message: Message): void {
  putWord(out, MESSAGES, message.kind)
  out.u53(message.term)
  switch (message.kind) {
    case 'preVote':
    case 'vote':
      return putPlace(out, message.last)
    case 'preVoted':
    case 'voted':
      return putFlag(out, message.isGranted)
    case 'append':
      putPlace(out, message.previous)
      putEntries(out, message.entries)
      out.u53(message.commit)
      return out.u53(message.round)
    case 'appended':
      putFlag(out, message.isTaken)
      out.u53(message.index)
      return out.u53(message.round)
    case 'snapshot':
      putSnapshot(out, message.snapshot)
      return out.u53(message.round)
    default:
      return unreachable(message)
  }
}

/** @throws RoostError PROTOCOL */
export function takeRaftMessage(input: ByteReader): Message {
  const kind = takeWord(input, MESSAGES)
  const term = input.u53()
  switch (kind) {
    case 'preVote':
    case 'vote':
      return { kind, term, last: takePlace(input) }
    case 'preVoted':
    case 'voted':
      return { kind, term, isGranted: takeFlag(input) }
    case 'append': {
      const previous = takePlace(input)
      const entries = takeEntries(input)
      checkFollows(previous, entries, term)
      return { kind, term, previous, entries, commit: input.u53(), round: input.u53() }
    }
    case 'appended':
      return { kind, term, isTaken: takeFlag(input), index: input.u53(), round: input.u53() }
    case 'snapshot': {
      const snapshot = takeSnapshot(input)
      decodeCouncil(snapshot.state)
      return { kind, term, snapshot, round: input.u53() }
    }
    default:
      return unreachable(kind)
  }
}

export function putRaftWrite(out: ByteWriter, write: Write): void {
  putWord(out, WRITES, write.kind)
  switch (write.kind) {
    case 'vote':
      out.u53(write.term)
      return out.u32(write.votedFor)
    case 'append':
      return putEntries(out, write.entries)
    case 'cut':
      return out.u53(write.index)
    case 'snapshot':
      putSnapshot(out, write.snapshot)
      return putFlag(out, write.keepsTail)
    default:
      return unreachable(write)
  }
}

/** @throws RoostError PROTOCOL */
export function takeRaftWrite(input: ByteReader): Write {
  const kind = takeWord(input, WRITES)
  switch (kind) {
    case 'vote':
      return { kind, term: input.u53(), votedFor: input.u32() as ReplicaId | 0 }
    case 'append':
      return { kind, entries: takeEntries(input) }
    case 'cut':
      return { kind, index: input.u53() }
    case 'snapshot':
      return { kind, snapshot: takeSnapshot(input), keepsTail: takeFlag(input) }
    default:
      return unreachable(kind)
  }
}

function putPlace(out: ByteWriter, { term, index }: LogPlace): void {
  out.u53(term)
  out.u53(index)
}

function takePlace(input: ByteReader): LogPlace {
  return { term: input.u53(), index: input.u53() }
}

function putEntries(out: ByteWriter, entries: readonly Entry[]): void {
  putList(out, entries, entry => {
    putPlace(out, entry)
    putOptional(out, entry.command, command => putRequest(out, command))
    putOptional(out, entry.config, config => putConfig(out, config))
  })
}

function takeEntries(input: ByteReader): Entry[] {
  return takeList(input, () => ({
    ...takePlace(input),
    command: takeOptional(input, () => takeRequest(input)),
    config: takeOptional(input, () => takeConfig(input))
  }))
}

function putConfig(out: ByteWriter, { voters }: RaftConfig): void {
  putReplicas(out, voters)
}

function takeConfig(input: ByteReader): RaftConfig {
  return { voters: takeReplicas(input) }
}

function putSnapshot(out: ByteWriter, { place, config, state }: RaftSnapshot): void {
  putPlace(out, place)
  putConfig(out, config)
  out.u32(state.length)
  out.bytes(state)
}

function takeSnapshot(input: ByteReader): RaftSnapshot {
  const place = takePlace(input)
  const config = takeConfig(input)
  // What it was read from is used again, or is larger.
  return { place, config, state: Buffer.from(input.bytes(input.u32())) }
}

function checkFollows(previous: LogPlace, entries: readonly Entry[], term: number): void {
  let before = previous
  for (const entry of entries) {
    const isNext = entry.index === before.index + 1
    if (!isNext || entry.term < before.term || entry.term > term) {
      throw new RoostError('PROTOCOL', `entry ${entry.index} of a council does not follow`)
    }
    before = entry
  }
}
