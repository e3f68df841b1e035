/** What the groups of operations share. */

import type { FileClassifier } from '../mail/file-class.ts'
import type { HandleTable } from './handle-table.ts'
import type { LiveTree } from './live-tree.ts'
import type { LockTable } from './lock-table.ts'
import type { Leases, Loader, Space, Unsealed } from './ports.ts'
import type { Recorder } from './recorder.ts'

export interface VfsParts {
  readonly tree: LiveTree
  readonly recorder: Recorder
  readonly handles: HandleTable
  readonly locks: LockTable
  readonly loader: Loader
  readonly space: Space
  /** Absent where nobody could take over what it keeps. */
  readonly unsealed?: Unsealed
  readonly classifier: FileClassifier
  readonly leases: Leases
  /** Directories this deep in the tree are roots of volumes: 1 for one volume a user. */
  readonly volumeDepth: number
  /** Whether every open is told; else a file may be open as long as the kernel knows it. */
  readonly tracksOpens: boolean
}

/** Who asks; for the ownership of what is made. */
export interface Caller {
  readonly uid: number
  readonly gid: number
}
