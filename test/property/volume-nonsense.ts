/**
 * A member that keeps to the wire's rules and to no other: whatever it says about a volume, the
 * volume's machine has to bear it, and what contradicts the history here has to be refused.
 */

import t from 'tap'
import {
  EMPTY_HISTORY,
  type HistoryPoint,
  type LeaseRecord
} from '../../lib/council/lease-record.ts'
import type { Epoch, Index, ReplicaId, SessionId } from '../../lib/ids.ts'
import { emptyDurableVolume } from '../../lib/volume/durable-volume.ts'
import { appendEntries, headOf, raiseBase, type LogEntry } from '../../lib/volume/history.ts'
import type { VolumeInput, VolumeOutput } from '../../lib/volume/volume-io.ts'
import { stepVolume } from '../../lib/volume/volume-machine.ts'
import type { VolumeMessage } from '../../lib/volume/volume-message.ts'
import { startVolume, type VolumeState } from '../../lib/volume/volume-state.ts'
import { chainEntry, chainPoint } from '../support/chain-entry.ts'
import { SimRandom } from '../support/sim-random.ts'
import { setupOf } from '../support/volume-replica.ts'

const ROUNDS = Number(process.env['ROOST_NONSENSE_ROUNDS'] ?? '20000')
const [SELF, PEER] = [1, 2] as [ReplicaId, ReplicaId]
const SESSION = 7 as SessionId
const SETUP = { ...setupOf(SELF), entriesPerMessageMax: 4 }

type State = VolumeState<LogEntry>
type Message = VolumeMessage<LogEntry>

/** Six entries of epochs 1 and 3, of which five are acknowledged and two lie below the base. */
function history(): LogEntry[] {
  const entries: LogEntry[] = []
  let last = EMPTY_HISTORY
  for (const epoch of [1, 1, 1, 3, 3, 3]) {
    const entry = chainEntry(epoch as Epoch, last, 'x')
    entries.push(entry)
    last = chainPoint(entry)
  }
  return entries
}

const ENTRIES = history()
const POINTS = [EMPTY_HISTORY, ...ENTRIES.map(chainPoint)]

function follower(): State {
  const durable = emptyDurableVolume<LogEntry>()
  appendEntries(durable.history, ENTRIES)
  raiseBase(durable.history, 2)
  const commit = POINTS[5] as HistoryPoint
  return startVolume({ ...durable, commit, promised: 3 as Epoch }, () => true)
}

function leaseOf(handed: HistoryPoint | undefined): LeaseRecord {
  return {
    epoch: 4 as Epoch,
    holder: SESSION,
    base: undefined,
    handed,
    dataSet: [SELF, PEER],
    copies: 1,
    isPossiblyCut: false
  }
}

function claiming(handed: HistoryPoint | undefined): State {
  const state = follower()
  step(state, { kind: 'opened', session: SESSION })
  step(state, { kind: 'peers', peers: [PEER] })
  const view = { position: 1, record: leaseOf(handed), holder: SELF }
  step(state, { kind: 'lease', view })
  step(state, { kind: 'synced', write: state.writes })
  return state
}

function holder(): State {
  const state = claiming(POINTS[6])
  step(state, { kind: 'synced', write: state.writes })
  return state
}

const BEGINNINGS: Readonly<Record<string, () => State>> = {
  follower,
  'a holder': holder,
  'waiting for what it was handed': () =>
    claiming(chainPoint(chainEntry(3 as Epoch, POINTS[6] as HistoryPoint, 'y'))),
  'asking the data set': () => claiming(undefined)
}

function step(state: State, input: VolumeInput<LogEntry>): readonly VolumeOutput<LogEntry>[] {
  return stepVolume(state, input, SETUP)
}

/** Points that are history here, or would be, or have something wrong with them. */
function pointFor(random: SimRandom, state: State): HistoryPoint {
  const own = random.pick([...POINTS, headOf(state.history), state.commit])
  const next = chainPoint(
    chainEntry((own.epoch + random.int(3)) as Epoch, own, random.pick(['x', 'y']))
  )
  const point = random.chance(0.3) ? next : own
  if (random.chance(0.7)) return point
  const epoch = random.pick([0, 1, 3, 4, 5, 2 ** 32 - 1]) as Epoch
  const index = random.pick([0, 1, point.index + 1, 2 ** 40]) as Index
  return random.chance(0.5) ? { ...point, epoch } : { ...point, index }
}

/** As the wire lets them through: each behind the one before. */
function entriesBehind(random: SimRandom, previous: HistoryPoint): LogEntry[] {
  const entries: LogEntry[] = []
  let last = previous
  for (let n = random.int(5); n > 0; n--) {
    const known = ENTRIES.find(
      entry => entry.previous === last.hash && entry.index === last.index + 1
    )
    const epoch = (last.epoch + (random.chance(0.3) ? random.int(4) : 0)) as Epoch
    const made = chainEntry(epoch, last, random.pick(['x', 'y']), random.chance(0.2))
    const entry = known !== undefined && random.chance(0.6) ? known : made
    if (entry.epoch < last.epoch) break
    entries.push(entry)
    last = chainPoint(entry)
  }
  return entries
}

function messageFor(random: SimRandom, state: State): Message {
  const epoch = random.pick([1, 3, 4, 4, 4, 5, 6]) as Epoch
  const point = (): HistoryPoint => pointFor(random, state)
  const index = (): Index => random.pick([0, 2, 5, 6, 7, 8, 2 ** 40]) as Index
  const previous = point()
  const { phase } = state
  const goal = phase.kind === 'waitingBase' ? phase.base : undefined
  const through = goal !== undefined && random.chance(0.7) ? goal : point()
  const commit = index()
  const runs = [{ epoch: random.pick([1, 3, 4]) as Epoch, last: (commit + 1) as Index }]
  const tail = { commit, runs: random.chance(0.5) ? runs : [] }
  return random.pick<Message>([
    {
      kind: 'append',
      epoch: Math.max(epoch, previous.epoch) as Epoch,
      previous,
      entries: entriesBehind(random, previous),
      commit: point()
    },
    { kind: 'fetched', through, previous, entries: entriesBehind(random, previous) },
    { kind: 'sealed', epoch, last: point(), commit: point() },
    { kind: 'ack', epoch, through: index(), commit: index() },
    { kind: 'missing', epoch, tail },
    { kind: 'fetch', through: point(), tail },
    { kind: 'checkpoint', epoch, point: point() },
    { kind: 'base', through, point: point() },
    { kind: 'seal', epoch },
    { kind: 'refused', epoch, promised: random.pick([3, 4, 5]) as Epoch },
    {
      kind: 'ask',
      session: random.int(9) as SessionId,
      number: random.int(9),
      waited: random.int(9)
    },
    { kind: 'answer', number: random.int(3), answer: { kind: 'busy', ticks: 2 ** 32 - 1 } }
  ])
}

for (const [what, begin] of Object.entries(BEGINNINGS)) {
  t.test(`a volume that is ${what} bears whatever a member says`, async t => {
    const refused = new Set<string>()
    for (let seed = 1; seed <= ROUNDS / 4; seed++) {
      const random = new SimRandom(seed)
      const state = begin()
      const said: Message[] = []
      try {
        for (let n = 0; n < 12; n++) {
          const message = messageFor(random, state)
          said.push(message)
          const outputs = step(state, { kind: 'message', from: PEER, message })
          for (const output of outputs) {
            if (output.kind === 'distrusted') refused.add(output.why.replaceAll(/\d+/g, 'N'))
          }
          if (random.chance(0.4)) step(state, { kind: 'synced', write: state.writes })
          if (random.chance(0.2)) step(state, { kind: 'tick' })
        }
      } catch (error) {
        t.fail(`seed ${seed}: ${String(error)}`, { said: said.slice(-2), error })
        return
      }
    }
    t.comment([...refused].sort().join('\n'))
    t.ok(refused.has('contradicts entry N, which is acknowledged'))
  })
}
