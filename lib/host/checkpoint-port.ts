/** What the transfer of checkpoints needs of the rest of a replica. */

import type { BlobStore } from '../blob/blob-store.ts'
import type { BodyExchange } from '../blob/body-exchange.ts'
import type { ReplicaId } from '../ids.ts'
import type { Disk } from '../io/disk.ts'
import type { TreeView } from '../keeper/tree-view.ts'

export interface CheckpointPort {
  readonly disk: Disk
  readonly blobs: BlobStore
  readonly bodies: Pick<BodyExchange, 'fetchBlob'>
  /** A view of what is applied here, which is closed when the transfer is over. */
  readonly openView: () => Promise<TreeView>
  /**
   * Sends to a peer; settles when there is room for more. Throws or rejects where there is no
   * connection.
   */
  readonly send: (to: ReplicaId, bytes: Buffer) => Promise<void> | void
  /** Runs `task` once after `ms`, unless the returned function is called before. */
  readonly after: (ms: number, task: () => void) => () => void
}
