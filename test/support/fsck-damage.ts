/** A kind of damage, what a check says of it, and what a repair leaves. */

import type { ProblemKind } from '../../lib/fsck/problem.ts'
import type { FsckStore } from './fsck-store.ts'
import { type StoreEdit } from './fsck-store.ts'

export interface Damage {
  readonly title: string
  readonly end?: 'killed'
  readonly inject: (store: FsckStore) => Promise<void> | void
  /** Kinds that the first check finds, whatever else follows from them. */
  readonly finds: readonly ProblemKind[]
  /** What the report has to name. */
  readonly names: RegExp
  /** Kinds that a repair leaves. */
  readonly leaves?: readonly ProblemKind[]
}

/** A change of what the store says, made with its own code. */
export function edited(task: (edit: StoreEdit) => void): (store: FsckStore) => Promise<void> {
  return store => store.edit(task)
}
