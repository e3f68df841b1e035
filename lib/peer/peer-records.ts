/**
 * What a replica remembers of the others over its restarts: where they listen, and their last run.
 *
 * A run is durable here before its data is taken: whoever rolled back or copied a data directory
 * is found out also when we were restarted meanwhile. An address is only a hint, and is written
 * with the next run, or when the replica closes. Whoever leaves the cluster stays in here: its
 * number is never given again, and who is a member may not be known yet when this is read.
 */

import { RoostError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import { readText, writeDurableText } from '../io/durable-text.ts'
import type { Run } from './hello.ts'
import { decodeJson, fieldsOf, listField, numberField, textField } from './json-frame.ts'
import { optionalTextField } from './json-frame.ts'

const FILE = 'peers.json'
const FORMAT = 1

interface PeerRecord {
  address: string | undefined
  run: Run | undefined
}

export class PeerRecords {
  readonly #disk: Disk
  readonly #records: Map<ReplicaId, PeerRecord>
  #isChanged = false
  /** The write under way, or the last; they use one temporary file. */
  #writing: Promise<void> = Promise.resolve()

  private constructor(disk: Disk, records: Map<ReplicaId, PeerRecord>) {
    this.#disk = disk
    this.#records = records
  }

  /** @throws RoostError DATA_UNUSABLE the file is not what was written */
  static read(disk: Disk): PeerRecords {
    const text = readText(disk, FILE)
    try {
      return new PeerRecords(
        disk,
        text === undefined ? new Map<ReplicaId, PeerRecord>() : decodeRecords(text)
      )
    } catch (cause) {
      throw new RoostError('DATA_UNUSABLE', `${FILE} is damaged`, { cause })
    }
  }

  addressOf(replica: ReplicaId): string | undefined {
    return this.#records.get(replica)?.address
  }

  runOf(replica: ReplicaId): Run | undefined {
    return this.#records.get(replica)?.run
  }

  learnAddress(replica: ReplicaId, address: string): void {
    const record = this.#at(replica)
    if (record.address === address) return
    record.address = address
    this.#isChanged = true
  }

  /** Known at once, and durable when the promise is kept. */
  async learnRun(replica: ReplicaId, { boot, nonce }: Run): Promise<void> {
    const record = this.#at(replica)
    if (record.run?.boot !== boot || record.run.nonce !== nonce) {
      record.run = { boot, nonce }
      this.#isChanged = true
    }
    // Also when it is known: the write that another connection began may be under way.
    await this.write()
  }

  /** Writes what has changed. */
  write(): Promise<void> {
    const writing = this.#writing.catch(() => {}).then(() => this.#writeChanges())
    this.#writing = writing
    return writing
  }

  async #writeChanges(): Promise<void> {
    if (!this.#isChanged) return
    this.#isChanged = false
    try {
      await writeDurableText(this.#disk, FILE, encodeRecords(this.#records))
    } catch (error) {
      this.#isChanged = true
      throw error
    }
  }

  #at(replica: ReplicaId): PeerRecord {
    const known = this.#records.get(replica)
    if (known !== undefined) return known
    const record = { address: undefined, run: undefined }
    this.#records.set(replica, record)
    return record
  }
}

function encodeRecords(records: ReadonlyMap<ReplicaId, PeerRecord>): string {
  const peers = [...records].map(([replica, { address, run }]) => ({ replica, address, ...run }))
  return `${JSON.stringify({ format: FORMAT, peers }, undefined, 2)}\n`
}

function decodeRecords(text: string): Map<ReplicaId, PeerRecord> {
  const fields = decodeJson(Buffer.from(text))
  if (numberField(fields, 'format') !== FORMAT) throw new RoostError('PROTOCOL', 'unknown format')
  return new Map(
    listField(fields, 'peers').map(value => {
      const peer = fieldsOf(value)
      const nonce = optionalTextField(peer, 'nonce')
      const run = nonce === undefined ? undefined : { boot: numberField(peer, 'boot'), nonce }
      const address = peer['address'] === undefined ? undefined : textField(peer, 'address')
      return [numberField(peer, 'replica') as ReplicaId, { address, run }]
    })
  )
}
