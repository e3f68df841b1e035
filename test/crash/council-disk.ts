/**
 * The log of the council on a disk that forgets: after a power cut at any point it is as it was
 * after one of the writes, and none that was durable is lost.
 */

import t from 'tap'
import { CouncilDisk } from '../../lib/council/council-disk.ts'
import type { CouncilRequest } from '../../lib/council/command.ts'
import { encodeCouncil } from '../../lib/council/council-codec.ts'
import { foundCouncil } from '../../lib/council/council-state.ts'
import { foundedLog } from '../../lib/council/founding.ts'
import type { RaftEntry, RaftWrite } from '../../lib/council/raft-io.ts'
import { applyRaftWrite, lastPlace, type DurableRaft } from '../../lib/council/raft-state.ts'
import { RoostError } from '../../lib/errors.ts'
import type { Epoch, ReplicaId, SessionId, VolumeId } from '../../lib/ids.ts'
import { copyOf, nameOf } from '../support/plain-values.ts'
import { SimDisk } from '../support/sim-disk.ts'
import { SimRandom } from '../support/sim-random.ts'

const ROUNDS = 100
const LOG = 'council/log'

type Durable = DurableRaft<CouncilRequest>
type Write = RaftWrite<CouncilRequest>

const FOUNDED = foundedLog(
  foundCouncil(1, [
    { replica: 1 as ReplicaId, key: 'k', storeId: 's', role: 'store', isVoter: true }
  ])
)

t.test('a power cut leaves what was durable, and no write in part', async t => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new SimRandom(seed)
    const disk = new SimDisk({ nameOrder: random.pick(['journal', 'directory'] as const) })
    /** How the log was after each write that may be what a cut leaves, the oldest first. */
    let possible = [nameOf(FOUNDED)]
    let isNew = true
    for (let run = 0; run < 6; run++) {
      if (random.chance(0.8)) disk.cutAtMutation = disk.mutations + 1 + random.int(60)
      try {
        const log = await CouncilDisk.open(disk, FOUNDED)
        isNew = false
        const found = nameOf(log.durable)
        if (!possible.includes(found)) throw new Error(`seed ${seed}: not a state of the log`)
        possible = [found]
        await work(log, random, possible)
        await log.close()
        possible = possible.slice(-1)
      } catch (error) {
        if (!disk.isOff) throw error
      }
      disk.crash(random)
      if (isNew && !disk.exists(LOG)) possible = [nameOf(FOUNDED)]
    }
  }
  t.pass(`${ROUNDS} seeds`)
})

t.test('a log that grew is in a new file after a snapshot', async t => {
  const disk = new SimDisk()
  const log = await CouncilDisk.open(disk, FOUNDED)
  const state = log.durable
  for (let i = 0; i < 200; i++) write(log, state, { kind: 'append', entries: [entryOf(state, i)] })
  await log.sync()
  const before = log.size
  const { index, term } = lastPlace(state)
  const snapshot = { ...state.snapshot, place: { term, index: index - 1 } }
  write(log, state, { kind: 'snapshot', snapshot, keepsTail: true })
  t.ok(log.size * 10 < before)
  await log.sync()
  await log.close()
  t.same(disk.paths(), [LOG])
  const again = await CouncilDisk.open(disk, undefined)
  t.same(again.durable, state)
  t.equal(again.durable.entries.length, 1, 'what follows the snapshot is kept')
  await again.close()
})

t.test('where there is no room for a new file the old one goes on', async t => {
  const disk = new SimDisk()
  const log = await CouncilDisk.open(disk, FOUNDED)
  const state = log.durable
  write(log, state, { kind: 'append', entries: [entryOf(state, 1)] })
  disk.fail('open', 'ENOSPC')
  const snapshot = { ...state.snapshot, place: lastPlace(state) }
  write(log, state, { kind: 'snapshot', snapshot, keepsTail: true })
  await log.close()
  const again = await CouncilDisk.open(disk, undefined)
  t.same(again.durable, state)
  await again.close()
})

t.test('after a failed write or sync nothing more is written', async t => {
  for (const call of ['write', 'sync'] as const) {
    const disk = new SimDisk()
    const log = await CouncilDisk.open(disk, FOUNDED)
    disk.fail(call, 'EIO')
    const vote = { kind: 'vote', term: 2, votedFor: 0 } as const
    await t.rejects(
      async () => {
        log.write(vote)
        await log.sync()
      },
      { code: 'COUNCIL_FAILED' }
    )
    t.throws(() => log.write(vote), { code: 'COUNCIL_FAILED' })
    await t.rejects(log.sync(), { code: 'COUNCIL_FAILED' })
    await log.close()
  }
})

t.test('what was durable and is bad is refused, wherever it is', async t => {
  const { disk, size } = await closedLog()
  const bytes = disk.bytes(LOG)
  for (let at = 0; at < size; at++) {
    // The four spare bytes at the end of the header say nothing.
    if (at >= 20 && at < 24) continue
    disk.flipBit(LOG, at, at % 8)
    t.equal(await codeOf(disk), 'COUNCIL_DAMAGED', `byte ${at}`)
    disk.flipBit(LOG, at, at % 8)
  }
  t.same(disk.bytes(LOG), bytes, 'none of it was changed')
  t.equal(await codeOf(disk), 'none')
})

t.test('damage is told of with its place', async t => {
  const { disk, size } = await closedLog()
  disk.flipBit(LOG, size - 1)
  const message = /^COUNCIL_DAMAGED: council\/log: the frame at byte \d+ is bad$/
  await t.rejects(CouncilDisk.open(disk, undefined), { message })
})

t.test('a file that is cut off where it was durable is refused', async t => {
  const { disk, size } = await closedLog()
  const file = disk.open(LOG, 'existing')
  file.truncate(10)
  file.close()
  t.equal(await codeOf(disk), 'COUNCIL_DAMAGED')
  t.ok(size > 10)
})

t.test('garbage behind the end is cut off', async t => {
  const { disk, size, state } = await closedLog()
  const file = disk.open(LOG, 'existing')
  file.write(new SimRandom(1).bytes(500), size + 40)
  file.close()
  const log = await CouncilDisk.open(disk, undefined)
  t.same(log.durable, state)
  await log.close()
  const left = disk.bytes(LOG).subarray(log.size)
  t.ok(left.every(byte => byte === 0))
})

/** Writes and syncs; `possible` gets each state, and loses what can no longer be. */
async function work(log: CouncilDisk, random: SimRandom, possible: string[]): Promise<void> {
  const state = log.durable
  for (let i = random.int(40); i > 0; i--) {
    if (random.chance(0.3)) {
      const count = possible.length
      const syncing = log.sync()
      // Where the write fails it is heard of there.
      syncing.catch(() => undefined)
      if (random.chance(0.5)) {
        write(log, state, writeOf(state, random))
        possible.push(nameOf(state))
      }
      await syncing
      possible.splice(0, count - 1)
    }
    // It may take effect although the call fails.
    const next = writeOf(state, random)
    const after = copyOf(state)
    applyRaftWrite(after, next)
    possible.push(nameOf(after))
    write(log, state, next)
  }
}

function write(log: CouncilDisk, state: Durable, write: Write): void {
  log.write(write)
  applyRaftWrite(state, write)
}

/** Something that a voter might write. */
function writeOf(state: Durable, random: SimRandom): Write {
  const { place } = state.snapshot
  const last = lastPlace(state)
  const kept = place.index + random.int(last.index - place.index + 1)
  switch (random.int(8)) {
    case 0:
      return { kind: 'vote', term: state.term + 1, votedFor: random.int(3) as ReplicaId | 0 }
    case 1:
      return { kind: 'cut', index: kept }
    case 2: {
      const keepsTail = random.chance(0.7)
      const index = keepsTail ? kept : last.index + random.int(10)
      const founders = [1, 2, 3].slice(random.int(3)).map(id => ({
        replica: id as ReplicaId,
        key: `key ${id}`,
        storeId: 's'.repeat(random.int(3000)),
        role: 'store' as const,
        isVoter: true
      }))
      const snapshot = {
        place: { term: last.term, index },
        config: { voters: founders.map(({ replica }) => replica) },
        state: encodeCouncil(foundCouncil(2, founders))
      }
      return { kind: 'snapshot', snapshot, keepsTail }
    }
    default: {
      const count = 1 + random.int(random.chance(0.1) ? 600 : 4)
      const entry = entryOf(state, random.int(1000))
      const entries = Array.from({ length: count }, (_, i) => ({
        ...entry,
        index: entry.index + i
      }))
      return { kind: 'append', entries }
    }
  }
}

function entryOf(state: Durable, volume: number): RaftEntry<CouncilRequest> {
  const claim = { volume: volume as VolumeId, epoch: 3 as Epoch }
  const command = { kind: 'claim', volumes: [claim] } as const
  return {
    term: Math.max(state.term, lastPlace(state).term),
    index: lastPlace(state).index + 1,
    command: { session: 4 as SessionId, number: 1, settled: 0, command },
    config: undefined
  }
}

/** A log with a few writes, closed in good order, and how many bytes its frames take. */
async function closedLog(): Promise<{ disk: SimDisk; size: number; state: Durable }> {
  const disk = new SimDisk()
  const log = await CouncilDisk.open(disk, FOUNDED)
  const state = log.durable
  write(log, state, { kind: 'append', entries: [entryOf(state, 1)] })
  await log.sync()
  write(log, state, { kind: 'vote', term: 5, votedFor: 2 as ReplicaId })
  const { size } = log
  await log.close()
  return { disk, size, state }
}

async function codeOf(disk: SimDisk): Promise<string> {
  try {
    const log = await CouncilDisk.open(disk, undefined)
    await log.close()
    return 'none'
  } catch (error) {
    return error instanceof RoostError ? error.code : String(error)
  }
}
