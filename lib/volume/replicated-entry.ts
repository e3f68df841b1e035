/** An entry of the log as the volume's state machine sees it. */

import { blobsBeside, type LoggedEntry } from '../feed/entry.ts'
import type { Epoch, Index } from '../ids.ts'
import type { HashText } from '../council/lease-record.ts'
import type { LogEntry } from './history.ts'

export interface ReplicatedEntry extends LogEntry {
  readonly logged: LoggedEntry
}

export function replicatedEntry(logged: LoggedEntry): ReplicatedEntry {
  const { entry, hash } = logged
  const epoch: Epoch = entry.epoch
  const index: Index = entry.index
  const previous: HashText = entry.previous.toString('hex')
  return {
    epoch,
    index,
    hash: hash.toString('hex'),
    previous,
    hasBodies: blobsBeside(entry).length > 0,
    logged
  }
}
