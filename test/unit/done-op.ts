import t from 'tap'
import { doneOpsOf, isRequestFor } from '../../lib/fuse/done-op.ts'
import type { FuseRequest } from '../../lib/fuse/request.ts'
import type { Change } from '../../lib/feed/entry.ts'
import type { Ino } from '../../lib/ids.ts'

const [ROOT, OTHER, FILE] = [1, 2, 3] as [Ino, Ino, Ino]
const MADE = { mode: 0o100600, uid: 0, gid: 0, rdev: 0, fileClass: 'log', target: '' } as const
const MOVE = { parent: ROOT, name: 'a', newParent: OTHER, newName: 'b' } as const
const HEADER = { unique: 2, opcode: 0, nodeid: ROOT, uid: 0, gid: 0, pid: 1 }

const request = (args: object): FuseRequest => ({ ...HEADER, ...args }) as FuseRequest
const rename = (flags: number): FuseRequest =>
  request({ op: 'rename', name: 'a', newParent: OTHER, newName: 'b', flags })

/** A change, what asks for it, and what asks for something else. */
const CASES: [Change, FuseRequest[], FuseRequest[]][] = [
  [
    { kind: 'create', parent: ROOT, name: 'a', ino: FILE, ...MADE },
    ['create', 'mknod', 'mkdir', 'symlink'].map(op => request({ op, name: 'a' })),
    [request({ op: 'create', name: 'b' }), request({ op: 'create', name: 'a', nodeid: OTHER })]
  ],
  [
    { kind: 'link', parent: ROOT, name: 'a', ino: FILE },
    [request({ op: 'link', ino: FILE, newName: 'a' })],
    [request({ op: 'link', ino: OTHER, newName: 'a' }), request({ op: 'create', name: 'a' })]
  ],
  [
    { kind: 'unlink', parent: ROOT, name: 'a', ino: FILE, drop: true },
    [request({ op: 'unlink', name: 'a' })],
    [request({ op: 'unlink', name: 'b' }), request({ op: 'rmdir', name: 'a' })]
  ],
  [
    { kind: 'rmdir', parent: ROOT, name: 'a', ino: FILE },
    [request({ op: 'rmdir', name: 'a' })],
    [request({ op: 'unlink', name: 'a' })]
  ],
  [
    { kind: 'rename', ...MOVE, replaced: 0, drop: false },
    [rename(0), rename(1)],
    [rename(2), request({ op: 'rename', name: 'a', newParent: ROOT, newName: 'b', flags: 0 })]
  ],
  [{ kind: 'exchange', ...MOVE }, [rename(2)], [rename(0)]],
  [
    { kind: 'setxattr', ino: ROOT, name: 'user.a', value: Buffer.from('1') },
    [request({ op: 'setxattr', name: 'user.a' })],
    [request({ op: 'setxattr', name: 'user.b' }), request({ op: 'removexattr', name: 'user.a' })]
  ],
  [
    { kind: 'removexattr', ino: ROOT, name: 'user.a' },
    [request({ op: 'removexattr', name: 'user.a' })],
    [request({ op: 'setxattr', name: 'user.a' })]
  ]
]

for (const [change, same, different] of CASES) {
  t.test(`what asks for a ${change.kind} that is done is known from all else`, async t => {
    const [op, ...others] = doneOpsOf([change])
    t.same(others, [])
    if (op === undefined) throw new Error('nothing is remembered')
    t.same(JSON.parse(JSON.stringify(op)), op, 'it can be handed on as text')
    for (const asked of same) t.ok(isRequestFor(op, asked), asked.op)
    for (const asked of different) t.notOk(isRequestFor(op, asked), asked.op)
    t.notOk(isRequestFor(op, request({ op: 'getattr' })))
  })
}

t.test('what can be done twice is not remembered', async t => {
  t.same(doneOpsOf([{ kind: 'write', ino: FILE, offset: 0, bytes: Buffer.from('x') }]), [])
  t.same(doneOpsOf([{ kind: 'setattr', ino: FILE, attr: { size: 0 } }]), [])
})
