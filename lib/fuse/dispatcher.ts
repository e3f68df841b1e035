/**
 * From a request to its reply: which operation each request means, who waits, and which number
 * an error becomes.
 *
 * INVARIANT: every request that wants a reply gets exactly one, now or when what it waits for has
 * come. This is the one place that turns what was thrown into an errno; ENOSYS comes only from the
 * list of opcodes that are not served, since the kernel then never asks again.
 */

import { ERRNO, errnoOf, FsError, RoostError } from '../errors.ts'
import type { FeedProgress } from '../feed/feed-progress.ts'
import { volumeOf, type Ino, type Position } from '../ids.ts'
import { isDirectory } from '../tree/inode.ts'
import { InvariantError } from '../util/assert.ts'
import type { AttrRequest } from '../vfs/attr-operations.ts'
import type { LockRequest as VfsLockRequest } from '../vfs/lock-operations.ts'
import type { Invalidator, Space } from '../vfs/ports.ts'
import type { Vfs } from '../vfs/vfs.ts'
import { Wait } from '../vfs/wait.ts'
import { FATTR, LK_FLOCK, LOCK_TYPE, OPEN_KILL_SUIDGID } from './abi.ts'
import { OUT_SIZE, RELEASE_FLAG, WRITE_FLAG } from './abi.ts'
import type { ClusterSide } from './cluster-side.ts'
import type { DoneOp } from './done-op.ts'
import { checkFence } from './fence.ts'
import { boundOf, requireLease } from './lease-terms.ts'
import { openFlagsOf } from './open-flags.ts'
import type { Parking, WaitBound } from './parking.ts'
import type { Replies } from './replies.ts'
import type * as ask from './request.ts'
import { ResentOps } from './resent-ops.ts'
import type { ServingMode } from './thread-messages.ts'
import { isResent } from './unique.ts'
import { isWakeUp } from './wake-ups.ts'

/** Errors that are logged with their stack before only their number is counted. */
const LOGGED_ERRORS_MAX = 20
const O_APPEND = 0o2000
/** An entry of READDIRPLUS with a name of one character. */
const DIRENT_PLUS_SIZE_MIN = OUT_SIZE.ENTRY + OUT_SIZE.DIRENT + 8

export interface DispatcherOptions {
  readonly vfs: Vfs
  readonly replies: Replies
  readonly parking: Parking
  readonly progress: FeedProgress
  readonly invalidator: Invalidator
  readonly space: Space
  /** Where other replicas serve the tree as well. */
  readonly cluster?: ClusterSide
  readonly nowMs: () => number
  readonly mode: ServingMode
  /** Whether extended attributes are served. */
  readonly xattrs: boolean
  /** What a daemon that died did last, where the mount was taken over from one. */
  readonly done: readonly DoneOp[]
  readonly log: (level: 'warn' | 'error', message: string) => void
}

export class Dispatcher {
  readonly #vfs: Vfs
  readonly #replies: Replies
  readonly #parking: Parking
  readonly #progress: FeedProgress
  readonly #invalidator: Invalidator
  readonly #space: Space
  readonly #cluster: ClusterSide | undefined
  readonly #nowMs: () => number
  readonly #mode: ServingMode
  readonly #xattrs: boolean
  readonly #log: DispatcherOptions['log']
  readonly #resent: ResentOps
  /** Listings for which attributes were brought into memory. */
  readonly #listed = new WeakSet<ask.ReaddirRequest>()
  #unknownErrors = 0

  constructor(options: DispatcherOptions) {
    this.#vfs = options.vfs
    this.#replies = options.replies
    this.#parking = options.parking
    this.#progress = options.progress
    this.#invalidator = options.invalidator
    this.#space = options.space
    this.#cluster = options.cluster
    this.#nowMs = options.nowMs
    this.#mode = options.mode
    this.#xattrs = options.xattrs
    this.#log = options.log
    this.#resent = new ResentOps(options.vfs, options.replies, options.done)
  }

  /** Errors that no table knows: each of them is a fault in Roost or in what it runs on. */
  get unknownErrors(): number {
    return this.#unknownErrors
  }

  /** Answers a request, or parks it. */
  dispatch(request: ask.FuseRequest): void {
    this.attempt(
      () => {
        if (isWakeUp(request)) return this.#answerWakeUp(request)
        checkFence(this.#vfs, request)
        if (this.#cluster !== undefined) requireLease(this.#cluster, this.#vfs, request)
        this.#serve(request)
      },
      errno => {
        this.#replies.error(request.unique, errno)
      },
      // What stays behind must not lie in the buffer that the next request is read into.
      () => {
        if (request.op === 'write') Object.assign(request, { data: Buffer.from(request.data) })
        if (request.op === 'setxattr') Object.assign(request, { value: Buffer.from(request.value) })
      },
      this.#cluster && boundOf(request, this.#cluster, this.#nowMs())
    )
  }

  /**
   * Runs `task` until it neither waits nor fails. It may do nothing before it waits.
   *
   * @param bound for how long it may wait for other replicas
   */
  attempt(
    task: () => void,
    fail: (errno: number) => void,
    onPark?: () => void,
    bound?: WaitBound
  ): void {
    const run = (): void => {
      try {
        task()
      } catch (error) {
        if (!(error instanceof Wait)) {
          fail(this.#errnoFor(error))
          return
        }
        onPark?.()
        onPark = undefined
        this.#parking.park(error.key, { run, fail, ...(bound && { bound }) })
      } finally {
        this.#answerGranted()
      }
    }
    run()
  }

  /** Any op may have freed what others wait for. */
  #answerGranted(): void {
    for (const unique of this.#vfs.locks.takeGranted()) this.#replies.empty(unique)
  }

  #errnoFor(error: unknown): number {
    if (error instanceof FsError) return error.errno
    if (error instanceof InvariantError) throw error
    if (error instanceof RoostError) return errnoOf(error.code)
    this.#unknownErrors++
    if (this.#unknownErrors <= LOGGED_ERRORS_MAX) {
      this.#log('error', error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
    return ERRNO.EIO
  }

  #serve(request: ask.FuseRequest): void {
    if (isResent(request.unique) && this.#resent.answer(request)) return
    switch (request.op) {
      case 'lookup':
        return this.#lookup(request)
      case 'forget':
        return this.#forget([request])
      case 'batchForget':
        return this.#forget(request.forgets)
      case 'getattr':
        return this.#replies.attr(request.unique, this.#vfs.attrs.getattr(request.nodeid))
      case 'setattr':
        return this.#setattr(request)
      case 'readlink':
        return this.#replies.text(request.unique, this.#vfs.attrs.readlink(request.nodeid))
      case 'create':
        return this.#create(request)
      case 'mknod':
      case 'mkdir':
      case 'symlink':
      case 'link':
        return this.#make(request)
      case 'unlink':
        this.#vfs.names.unlink(request.nodeid, request.name)
        return this.#replies.empty(request.unique)
      case 'rmdir':
        this.#vfs.names.rmdir(request.nodeid, request.name)
        return this.#replies.empty(request.unique)
      case 'rename':
        return this.#rename(request)
      case 'readdir':
      case 'readdirplus':
        return this.#readdir(request)
      default:
        return this.#serveFile(request)
    }
  }

  #serveFile(request: ask.FuseRequest): void {
    const { unique, nodeid } = request
    switch (request.op) {
      case 'open':
        // The kernel then opens by itself from here on.
        if (this.#mode === 'single') return this.#replies.error(unique, ERRNO.ENOSYS)
        return this.#open(request)
      case 'read': {
        const room = this.#replies.room(request.size)
        return this.#replies.filled(unique, this.#vfs.data.readInto(nodeid, request.offset, room))
      }
      case 'write':
        return this.#write(request)
      case 'fsync':
      case 'fsyncdir':
        return this.#fsync(request)
      case 'flush':
        if (this.#mode === 'single') return this.#replies.error(unique, ERRNO.ENOSYS)
        this.#vfs.locks.flush(nodeid, request.lockOwner)
        return this.#replies.empty(unique)
      case 'release':
        return this.#release(request)
      case 'statfs':
        return this.#replies.statfs(unique, this.#space.totals())
      case 'getlk':
      case 'setlk':
      case 'setlkw':
        return this.#lock(request)
      case 'tmpfile':
      case 'fallocate':
      case 'lseek':
      case 'copyFileRange':
        return this.#serveRange(request)
      case 'getxattr':
      case 'setxattr':
      case 'listxattr':
      case 'removexattr':
        // The kernel then says EOPNOTSUPP by itself from here on.
        if (!this.#xattrs) return this.#replies.error(unique, ERRNO.ENOSYS)
        return this.#serveXattr(request)
      case 'interrupt':
        return this.#interrupt(request)
      case 'destroy':
        return this.#replies.empty(unique)
      default:
        this.#replies.error(unique, ERRNO.ENOSYS)
    }
  }

  /** Each for itself, as one that has to wait runs again and must not be counted twice. */
  #forget(forgets: readonly { readonly nodeid: Ino; readonly nlookup: number }[]): void {
    for (const { nodeid, nlookup } of forgets) {
      if (!this.#vfs.forget(nodeid, nlookup)) continue
      // It may have given back only what it was told in this session.
      if (this.#vfs.isUncounted(nodeid)) this.#invalidator.probe(nodeid)
      else this.drop(nodeid)
    }
  }

  /** The kernel does not know the inode: if nothing else holds it either, it goes. */
  drop(ino: Ino): void {
    this.attempt(
      () => {
        this.#vfs.data.dropForgotten(ino)
      },
      errno => {
        this.#log('warn', `inode ${ino} stays until the next start: errno ${errno}`)
      }
    )
  }

  #lookup({ unique, nodeid, name }: ask.LookupRequest): void {
    const node = this.#vfs.names.find(nodeid, name)
    if (node === undefined) this.#replies.absent(unique)
    else this.#replies.entry(unique, node)
  }

  #setattr(request: ask.SetattrRequest): void {
    const { unique, nodeid, valid } = request
    const has = (bit: number): boolean => (valid & bit) !== 0
    const attr: AttrRequest = {
      ...(has(FATTR.MODE) && { mode: request.mode }),
      ...(has(FATTR.UID) && { uid: request.newUid }),
      ...(has(FATTR.GID) && { gid: request.newGid }),
      ...(has(FATTR.SIZE) && { size: request.size }),
      ...(has(FATTR.ATIME) && { atime: has(FATTR.ATIME_NOW) ? 'now' : request.atime }),
      ...(has(FATTR.MTIME) && { mtime: has(FATTR.MTIME_NOW) ? 'now' : request.mtime }),
      ...(has(FATTR.KILL_SUIDGID) && { killsPrivileges: true })
    }
    this.#replies.attr(unique, this.#vfs.attrs.setattr(nodeid, attr))
  }

  /**
   * Nothing happens. Whoever asks may be late to take the answer, and others change the directory
   * meanwhile: so the kernel is not to believe it.
   */
  #answerWakeUp({ op, unique, nodeid }: ask.FuseRequest): void {
    if (op !== 'setattr') return this.#replies.empty(unique)
    this.#replies.attr(unique, this.#vfs.attrs.getattr(nodeid), 0)
  }

  #make(request: ask.MknodRequest | ask.MkdirRequest | ask.SymlinkRequest | ask.LinkRequest): void {
    const { names } = this.#vfs
    const { unique, nodeid } = request
    switch (request.op) {
      case 'mknod': {
        const { name, mode, rdev } = request
        return this.#replies.entry(unique, names.make(nodeid, name, mode, request, { rdev }))
      }
      case 'mkdir':
        return this.#replies.entry(unique, names.mkdir(nodeid, request.name, request.mode, request))
      case 'symlink': {
        const { name, target } = request
        return this.#replies.entry(unique, names.symlink(nodeid, name, target, request))
      }
      case 'link':
        return this.#replies.entry(unique, names.link(request.ino, nodeid, request.newName))
    }
  }

  #create(request: ask.CreateRequest): void {
    const { unique, nodeid, name, mode, flags } = request
    const { node, handle } = this.#vfs.data.create(nodeid, name, mode, flags, request)
    this.#replies.created(unique, node, handle.fh, openFlagsOf(handle))
  }

  #rename({ unique, nodeid, name, newParent, newName, flags }: ask.RenameRequest): void {
    this.#vfs.names.rename(nodeid, name, newParent, newName, flags)
    this.#replies.empty(unique)
  }

  #readdir(request: ask.ReaddirRequest): void {
    const { unique, nodeid, offset, size } = request
    const isPlus = request.op === 'readdirplus'
    if (isPlus) this.#bringListed(request)
    this.#replies.beginListing(unique, size, isPlus)
    this.#vfs.names.readdir(nodeid, offset, ({ name, dirent }) => {
      const isDot = name === '.' || name === '..'
      const attr = isPlus && !isDot ? this.#vfs.attributesOf(dirent.ino) : undefined
      const fits = this.#replies.addName(name, dirent, attr)
      if (fits && attr !== undefined) this.#vfs.noteLookup(dirent.ino)
      return fits
    })
    this.#replies.endListing()
  }

  /** Once for each request: what does not come then is listed without attributes. */
  #bringListed(request: ask.ReaddirRequest): void {
    if (this.#listed.has(request)) return
    const { nodeid, offset, size } = request
    try {
      this.#vfs.names.bringListed(nodeid, offset, Math.ceil(size / DIRENT_PLUS_SIZE_MIN))
    } catch (error) {
      if (error instanceof Wait && error.key.startsWith('inodes:')) this.#listed.add(request)
      throw error
    }
  }

  #open({ unique, nodeid, flags, openFlags }: ask.OpenRequest): void {
    const killsPrivileges = (openFlags & OPEN_KILL_SUIDGID) !== 0
    const handle = this.#vfs.data.open(nodeid, flags, killsPrivileges)
    this.#replies.opened(unique, handle.fh, openFlagsOf(handle))
  }

  #write({ unique, nodeid, fh, offset, data, flags, writeFlags }: ask.WriteRequest): void {
    const killsPrivileges = (writeFlags & WRITE_FLAG.KILL_SUIDGID) !== 0
    // Of a file that only this kernel changes it knows the end, and puts what is appended there.
    const trusted = this.#mode === 'single' ? flags & ~O_APPEND : flags
    const request = { ino: nodeid, fh, offset, data, flags: trusted, killsPrivileges }
    const at = this.#vfs.data.write(request)
    // The kernel keeps the pages where it thought the end was.
    if (at !== offset) this.#invalidator.invalInode(nodeid, 0, -1)
    this.#replies.written(unique, data.length)
  }

  /** What the kernel has no flag for: root's changes leave setuid and setgid alone. */
  #serveRange(
    request: ask.TmpfileRequest | ask.FallocateRequest | ask.LseekRequest | ask.CopyFileRangeRequest
  ): void {
    const { ranges, data } = this.#vfs
    const { unique, nodeid } = request
    const killsPrivileges = request.uid !== 0
    switch (request.op) {
      case 'tmpfile': {
        const { node, handle } = data.createUnnamed(nodeid, request.mode, request.flags, request)
        return this.#replies.created(unique, node, handle.fh, openFlagsOf(handle))
      }
      case 'fallocate': {
        const { mode, offset, length } = request
        ranges.fallocate({ ino: nodeid, mode, offset, length, killsPrivileges })
        return this.#replies.empty(unique)
      }
      case 'lseek':
        return this.#replies.position(unique, ranges.seek(nodeid, request.offset, request.whence))
      case 'copyFileRange': {
        const { offset, inoOut: to, offsetOut, length, wide } = request
        const range = { from: nodeid, offset, to, offsetOut, length, killsPrivileges }
        const copied = ranges.copy(range)
        if (wide) this.#replies.position(unique, copied)
        else this.#replies.written(unique, copied)
      }
    }
  }

  #serveXattr(
    request:
      ask.GetxattrRequest | ask.SetxattrRequest | ask.ListxattrRequest | ask.RemovexattrRequest
  ): void {
    const { xattrs } = this.#vfs
    const { unique, nodeid } = request
    switch (request.op) {
      case 'getxattr':
        return this.#replies.xattr(unique, xattrs.get(nodeid, request.name), request.size)
      case 'listxattr':
        return this.#replies.xattr(unique, xattrs.list(nodeid), request.size)
      case 'setxattr':
        xattrs.set(nodeid, request.name, request.value, request.flags)
        return this.#replies.empty(unique)
      case 'removexattr':
        xattrs.remove(nodeid, request.name)
        return this.#replies.empty(unique)
    }
  }

  #fsync({ unique, nodeid }: ask.FsyncRequest): void {
    const position = this.#vfs.data.fsync(nodeid)
    const done = (): void => {
      this.#replies.empty(unique)
    }
    const fail = (errno: number): void => {
      this.#replies.error(unique, errno)
    }
    if (this.#cluster === undefined) this.#whenDurable(position, done, fail)
    else this.#cluster.whenAcknowledged(volumeOf(nodeid), done, fail)
  }

  #whenDurable(position: Position, done: () => void, fail: (errno: number) => void): void {
    if (this.#progress.state === 'failed') return fail(ERRNO.EIO)
    if (position <= this.#progress.durable) return done()
    this.#progress.request(position)
    this.#parking.untilDurable(position, done, fail)
  }

  #release({ unique, nodeid, fh, releaseFlags, lockOwner }: ask.ReleaseRequest): void {
    this.#vfs.data.release(fh)
    if ((releaseFlags & RELEASE_FLAG.FLOCK_UNLOCK) !== 0) {
      this.#vfs.locks.releaseFlock(nodeid, lockOwner)
    }
    if (!this.#vfs.isOpen(nodeid)) this.#vfs.locks.releaseAll(nodeid)
    this.#replies.empty(unique)
  }

  #lock(request: ask.LockRequest): void {
    const { locks } = this.#vfs
    const { unique, nodeid } = request
    if (isDirectory(this.#vfs.attrs.getattr(nodeid).attr) && (request.lkFlags & LK_FLOCK) === 0) {
      throw new FsError('EBADF')
    }
    const wanted = lockOf(request)
    if (request.op === 'getlk') {
      const held = wanted.type === 'unlock' ? undefined : locks.getlk(nodeid, wanted, wanted.type)
      return this.#replies.lock(unique, held)
    }
    if (request.op === 'setlk') locks.setlk(nodeid, wanted)
    else if (!locks.setlkw(nodeid, wanted, unique)) return
    this.#replies.empty(unique)
  }

  #interrupt({ interrupted }: ask.InterruptRequest): void {
    if (this.#vfs.locks.interrupt(interrupted)) this.#replies.error(interrupted, ERRNO.EINTR)
    else if (this.#cluster !== undefined) this.#parking.interrupt(interrupted, ERRNO.EINTR)
  }
}

function lockOf({ owner, start, end, type, lockPid, lkFlags }: ask.LockRequest): VfsLockRequest {
  return {
    kind: (lkFlags & LK_FLOCK) !== 0 ? 'flock' : 'posix',
    owner,
    start,
    end,
    pid: lockPid,
    type: type === LOCK_TYPE.UNLCK ? 'unlock' : type === LOCK_TYPE.WRLCK ? 'write' : 'read'
  }
}
