/**
 * Requests that the kernel sends again because their daemon died: which of them were done.
 *
 * A request is taken for done when the last that the dead daemon recorded is what it asks for, and
 * the tree is as that leaves it. The kernel keeps a directory locked while it waits for a change
 * of it, so no other request for the same can have come between.
 */

import type { Vfs } from '../vfs/vfs.ts'
import { isRequestFor, type DoneOp } from './done-op.ts'
import { openFlagsOf } from './open-flags.ts'
import type { Replies } from './replies.ts'
import type { FuseRequest } from './request.ts'

const O_TRUNC = 0o1000

export class ResentOps {
  readonly #vfs: Vfs
  readonly #replies: Replies
  /** Not asked for yet. Each is asked for once, if at all. */
  readonly #done: Set<DoneOp>

  constructor(vfs: Vfs, replies: Replies, done: readonly DoneOp[]) {
    this.#vfs = vfs
    this.#replies = replies
    this.#done = new Set(done)
  }

  /** @returns whether the request was done and is answered now @throws Wait */
  answer(request: FuseRequest): boolean {
    for (const op of this.#done) {
      if (!isRequestFor(op, request) || !this.#reply(op, request)) continue
      this.#done.delete(op)
      return true
    }
    return false
  }

  #reply(op: DoneOp, request: FuseRequest): boolean {
    const { unique, nodeid } = request
    switch (request.op) {
      case 'create':
      case 'mknod':
      case 'mkdir':
      case 'symlink':
      case 'link':
        return this.#replyMade(op, request)
      case 'unlink':
      case 'rmdir':
      case 'rename':
        // Names that change places are both there before and after.
        if (op.kind !== 'exchange' && this.#vfs.names.find(nodeid, request.name)) return false
        this.#replies.empty(unique)
        return true
      default:
        this.#replies.empty(unique)
        return true
    }
  }

  #replyMade({ parent, name, ino }: DoneOp, request: FuseRequest): boolean {
    if (parent === 0 || ino === 0) return false
    const node = this.#vfs.names.find(parent, name)
    if (node === undefined || node.attr.ino !== ino) return false
    if (request.op === 'create') {
      const handle = this.#vfs.data.open(ino, request.flags & ~O_TRUNC)
      this.#replies.created(request.unique, node, handle.fh, openFlagsOf(handle))
    } else {
      this.#replies.entry(request.unique, node)
    }
    return true
  }
}
