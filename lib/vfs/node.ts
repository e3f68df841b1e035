/**
 * An inode in memory: its attributes as they are now, and what only the serving side knows.
 *
 * A node leaves the table for good when nothing names it, nothing has it open, and the kernel has
 * forgotten it, in whichever order these happen. Until then reads through an open handle keep
 * working although the file is deleted, as POSIX demands. One that the store has as it is may
 * leave memory at any time, and comes back when it is asked for.
 */

import type { Body } from './body.ts'
import type { Content } from './content.ts'
import type { Directory } from './directory.ts'
import type { Inode } from '../tree/inode.ts'
import { FsError } from '../errors.ts'
import type { Ino, Position } from '../ids.ts'

export class Node {
  readonly attr: Inode
  /**
   * How many lookups the kernel may still take back with FORGET.
   *
   * Invariant: equals the number of replies that named this inode (LOOKUP, CREATE, MKDIR, MKNOD,
   * SYMLINK, LINK, and READDIRPLUS except for "." and ".."), less the forgotten ones. The root
   * begins at one, for which there is no reply.
   */
  nlookup = 0
  /** Open handles. */
  handles = 0
  /** History does not have it any more; it lives on until the kernel lets go of it. */
  gone = false
  /** Another replica has removed it while it was open here. */
  removedElsewhere = false
  /** Where the log ends with its removal: until the store has that, it must not be asked. */
  gonePosition = 0 as Position
  directory: Directory | undefined
  /** Bytes kept in history; regular files of class 'log', and 'general' while small. */
  content: Content | undefined
  /** Bytes kept as blobs, or about to be. */
  body: Body | undefined
  /** Where the log ends with the last entry that changed it or, for a directory, its names. */
  changedPosition = 0 as Position
  /** Used since the shedder last looked. */
  used = true
  /** The shedder has looked at it. */
  seen = false
  /** What it takes among what is kept, as it was used again after that; 0 where it was not. */
  keptBytes = 0
  /** The log must be applied through here before `content` may leave memory. */
  contentPosition = 0 as Position
  /** Found under a name whose files nobody locks, see FileRule. */
  lockless = false
  /** Made without a name, and may be given one. */
  linkable = false
  /** It came from the store, so an earlier session may have told the kernel of it. */
  isStored = false
  /** Why the bytes of `body` could not be made durable, an errno, until that was reported. */
  sealErrno = 0

  constructor(attr: Inode) {
    this.attr = attr
  }

  /**
   * By which the store can be asked for its bytes.
   *
   * @throws FsError ESTALE it has none any more, which must not look like a file of zeros
   */
  get storedIno(): Ino {
    if (this.removedElsewhere) throw new FsError('ESTALE')
    return this.attr.ino
  }
}
