/**
 * What a daemon did last before it died. If the kernel has not heard of it, it asks for it again,
 * and must be told that it is done and not that it cannot be done twice.
 *
 * Only the last frame of a log can be that: the serving thread answers an op before it takes the
 * next one. What is done twice with the same outcome is not listed.
 */

import type { Change } from '../feed/entry.ts'
import type { Ino } from '../ids.ts'
import type { FuseRequest } from './request.ts'

/** Plain values, as it is handed from one daemon to the next by way of their parent. */
export interface DoneOp {
  readonly kind: Change['kind']
  readonly parent: Ino | 0
  readonly name: string
  /** What was made, or had its attribute changed; else 0. */
  readonly ino: Ino | 0
  readonly newParent: Ino | 0
  readonly newName: string
}

const NOTHING = { parent: 0, name: '', ino: 0, newParent: 0, newName: '' } as const

export function doneOpsOf(changes: readonly Change[]): DoneOp[] {
  return changes.flatMap((change): DoneOp[] => {
    switch (change.kind) {
      case 'create':
      case 'link': {
        const { kind, parent, name, ino } = change
        return [{ ...NOTHING, kind, parent, name, ino }]
      }
      case 'unlink':
      case 'rmdir': {
        const { kind, parent, name } = change
        return [{ ...NOTHING, kind, parent, name }]
      }
      case 'rename':
      case 'exchange': {
        const { kind, parent, name, newParent, newName } = change
        return [{ kind, parent, name, ino: 0, newParent, newName }]
      }
      case 'setxattr':
      case 'removexattr': {
        const { kind, ino, name } = change
        return [{ ...NOTHING, kind, ino, name }]
      }
      default:
        return []
    }
  })
}

const RENAME_EXCHANGE = 2

/** Whether the request asks for just that. */
export function isRequestFor(op: DoneOp, request: FuseRequest): boolean {
  switch (request.op) {
    case 'create':
    case 'mknod':
    case 'mkdir':
    case 'symlink':
      return op.kind === 'create' && names(op, request.nodeid, request.name)
    case 'link':
      return (
        op.kind === 'link' && op.ino === request.ino && names(op, request.nodeid, request.newName)
      )
    case 'unlink':
    case 'rmdir':
      return op.kind === request.op && names(op, request.nodeid, request.name)
    case 'rename': {
      const kind = request.flags === RENAME_EXCHANGE ? 'exchange' : 'rename'
      const { newParent, newName } = request
      const isTarget = op.newParent === newParent && op.newName === newName
      return op.kind === kind && isTarget && names(op, request.nodeid, request.name)
    }
    case 'setxattr':
    case 'removexattr':
      return op.kind === request.op && op.ino === request.nodeid && op.name === request.name
    default:
      return false
  }
}

function names(op: DoneOp, parent: Ino, name: string): boolean {
  return op.parent === parent && op.name === name
}
