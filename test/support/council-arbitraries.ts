/** Values of the council's kinds, of any content, for fast-check. */

import fc from 'fast-check'
import type { Command, CouncilAnswer, CouncilRequest, Role } from '../../lib/council/command.ts'
import { encodeCouncil } from '../../lib/council/council-codec.ts'
import type { CouncilMessage } from '../../lib/council/council-message.ts'
import { foundCouncil } from '../../lib/council/council-state.ts'
import type { HistoryPoint, LeaseRecord } from '../../lib/council/lease-record.ts'
import type {
  LogPlace,
  RaftConfig,
  RaftEntry,
  RaftMessage,
  RaftSnapshot,
  RaftWrite
} from '../../lib/council/raft-io.ts'
import type { Epoch, Index, ReplicaId, SessionId, VolumeId } from '../../lib/ids.ts'

type Fields<Value> = { [Key in keyof Value]: fc.Arbitrary<Value[Key]> }

/** An object of one kind of a union. */
function of<Kind extends string, Value extends object>(
  kind: Kind,
  fields: Fields<Value>
): fc.Arbitrary<{ kind: Kind } & Value> {
  return plain({ kind: fc.constant(kind), ...fields } as unknown as Fields<{ kind: Kind } & Value>)
}

function plain<Value extends object>(fields: Fields<Value>): fc.Arbitrary<Value> {
  const values: fc.Arbitrary<unknown> = fc.record(fields, { noNullPrototype: true })
  return values as fc.Arbitrary<Value>
}

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const u53 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const flag = fc.boolean()
const text = fc.string({ maxLength: 40 }).map(value => value.replaceAll(/[^\0-\xff]/gu, '?'))
const replica = fc.integer({ min: 1, max: 2 ** 32 - 1 }).map(value => value as ReplicaId)
const replicaOrNone = u32.map(value => value as ReplicaId | 0)
const session = u32.map(value => value as SessionId)
const volume = fc.integer({ min: 0, max: 2 ** 21 - 1 }).map(value => value as VolumeId)
const epoch = u32.map(value => value as Epoch)
const dataSet = fc.array(replica, { maxLength: 5 })
const role = fc.constantFrom<Role>('store', 'cache', 'witness')
const claim = { volume, epoch }

function many<Item>(item: fc.Arbitrary<Item>): fc.Arbitrary<Item[]> {
  return fc.array(item, { maxLength: 4 })
}

function optional<Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> {
  return fc.option(value, { nil: undefined })
}

const point: fc.Arbitrary<HistoryPoint> = plain({
  epoch,
  index: u53.map(value => value as Index),
  hash: text
})

const lease: fc.Arbitrary<LeaseRecord> = plain({
  epoch,
  holder: session,
  base: optional(point),
  handed: optional(point),
  dataSet,
  copies: u32,
  isPossiblyCut: flag
})

const command: fc.Arbitrary<Command> = fc.oneof(
  of('open', { replica, storeId: text, boot: u53, nonce: text }),
  of('end', { ended: session }),
  of('claim', { volumes: many(plain(claim)) }),
  of('grant', { ...claim, base: point, to: session }),
  of('release', { volumes: many(plain({ ...claim, base: point })) }),
  of('resize', { volumes: many(plain({ ...claim, dataSet, copies: u32 })) }),
  of('force', { volume, dataSet, copies: u32 }),
  of('addMember', { replica, key: text, storeId: text, role }),
  of('removeMember', { replica }),
  of('setVoter', { replica, isVoter: flag })
)

export const councilRequest: fc.Arbitrary<CouncilRequest> = plain({
  session,
  number: u53,
  settled: u53,
  command
})

const answer: fc.Arbitrary<CouncilAnswer> = fc.oneof(
  of('done', { refused: many(volume) }),
  of('done', { session, refused: many(volume) }),
  of('refused', { why: fc.constantFrom('boot' as const, 'settled' as const, 'tooMany' as const) })
)

export const councilMessage: fc.Arbitrary<CouncilMessage> = fc.oneof(
  of('request', { id: u53, request: councilRequest }),
  of('answer', { id: u53, answer }),
  of('renew', { id: u53, session }),
  of('renewed', { id: u53, isAlive: flag }),
  of('read', { id: u53, volume }),
  of('lease', {
    id: u53,
    volume,
    position: u53,
    record: optional(lease),
    holder: optional(replica)
  }),
  of('elsewhere', { id: u53, leader: replicaOrNone })
)

const place: fc.Arbitrary<LogPlace> = plain({ term: u32, index: u32 })
const config: fc.Arbitrary<RaftConfig> = plain({ voters: dataSet })

const snapshot: fc.Arbitrary<RaftSnapshot> = plain({
  place,
  config,
  state: fc
    .tuple(u32, many(plain({ replica, key: text, storeId: text, role, isVoter: flag })))
    .map(([copies, founders]) => encodeCouncil(foundCouncil(copies, founders)))
})

/** Behind a place, one after the other. */
function entriesBehind({ term, index }: LogPlace): fc.Arbitrary<RaftEntry<CouncilRequest>[]> {
  const content = plain({ command: optional(councilRequest), config: optional(config) })
  return many(content).map(contents =>
    contents.map((entry, i) => ({ term, index: index + 1 + i, ...entry }))
  )
}

const append = fc
  .record({ previous: place, later: u32, commit: u53, round: u53 })
  .chain(({ previous, later, commit, round }) =>
    entriesBehind(previous).map((entries): RaftMessage<CouncilRequest> => ({
      kind: 'append',
      term: previous.term + later,
      previous,
      entries,
      commit,
      round
    }))
  )

export const raftMessage: fc.Arbitrary<RaftMessage<CouncilRequest>> = fc.oneof(
  of('preVote', { term: u53, last: place }),
  of('preVoted', { term: u53, isGranted: flag }),
  of('vote', { term: u53, last: place }),
  of('voted', { term: u53, isGranted: flag }),
  append,
  of('appended', { term: u53, isTaken: flag, index: u53, round: u53 }),
  of('snapshot', { term: u53, snapshot, round: u53 })
)

export const raftWrite: fc.Arbitrary<RaftWrite<CouncilRequest>> = fc.oneof(
  of('vote', { term: u53, votedFor: replicaOrNone }),
  of('append', { entries: place.chain(entriesBehind) }),
  of('cut', { index: u53 }),
  of('snapshot', { snapshot, keepsTail: flag })
)
