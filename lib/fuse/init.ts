/**
 * INIT: which protocol version and which features a mount has.
 *
 * The kernel offers, we take. What it does not offer is done without: each flag stands for
 * itself, and `flagsTaken` of the result says what the mount can rely on.
 */

import { RoostError } from '../errors.ts'
import { assert } from '../util/assert.ts'
import { FUSE_MAJOR, FUSE_MINOR, FUSE_MINOR_MIN, INIT_FLAG, INIT_FLAG2 } from './abi.ts'
import type { InitRequest } from './request.ts'

/** Pages of a request where the kernel does not let us choose (no MAX_PAGES). */
const PAGES_WITHOUT_CHOICE = 32
/** More than this the kernel takes only where an administrator has raised its limit. */
const WRITE_MIN = 4096
const U16_MAX = 0xffff

/** Flags that change the form of messages in ways which the decoder does not know. */
const FLAGS_NEVER = INIT_FLAG.SETXATTR_EXT
const FLAGS2_NEVER = INIT_FLAG2.OVER_IO_URING | INIT_FLAG2.REQUEST_TIMEOUT

/** What the file system would like to have. */
export interface InitWanted {
  /** Bits of INIT_FLAG. MAX_PAGES, BIG_WRITES and INIT_EXT are taken unasked. */
  readonly flags: number
  /** Bits of INIT_FLAG2. */
  readonly flags2: number
  /** Bytes that one write, or one read, may have. */
  readonly maxWrite: number
  readonly maxReadahead: number
  /** Requests that nobody waits for (readahead, direct writes) which may be under way at once. */
  readonly maxBackground: number
  /** How many of these make the kernel hold back. */
  readonly congestionThreshold: number
  /** The kernel's page size in bytes. */
  readonly pageSize: number
}

/** The fields of struct fuse_init_out. */
export interface InitReply {
  readonly major: number
  readonly minor: number
  readonly maxReadahead: number
  readonly flags: number
  readonly flags2: number
  readonly maxBackground: number
  readonly congestionThreshold: number
  readonly maxWrite: number
  readonly timeGranNs: number
  readonly maxPages: number
  readonly maxStackDepth: number
}

export interface InitOutcome {
  /** What to answer with `encodeInit`. */
  readonly reply: InitReply
  /** False when the kernel speaks a newer major version: it sends another INIT after the reply. */
  readonly isSettled: boolean
  /** The minor version that both sides use from here on. */
  readonly minor: number
  readonly flagsTaken: number
  readonly flags2Taken: number
  /** Bytes that one write may have: the buffer for requests needs them, and those of a header. */
  readonly maxWrite: number
}

/**
 * Finds what the kernel's offer and our wishes have in common.
 *
 * @throws RoostError MOUNT_FAILED when the kernel is older than the protocol we serve; INIT is
 *   then to be answered with EPROTO, and the file system unmounted.
 */
export function negotiateInit(request: InitRequest, wanted: InitWanted): InitOutcome {
  assert(wanted.maxWrite >= WRITE_MIN, 'a write has at least 4096 bytes')
  if (request.major > FUSE_MAJOR) return unsettled()
  if (request.major < FUSE_MAJOR || request.minor < FUSE_MINOR_MIN) {
    throw new RoostError(
      'MOUNT_FAILED',
      `this kernel speaks version ${request.major}.${request.minor} of the FUSE protocol, and ` +
        `Roost needs ${FUSE_MAJOR}.${FUSE_MINOR_MIN} or newer (Linux 5.4)`
    )
  }
  const minor = Math.min(request.minor, FUSE_MINOR)
  const flagsTaken = (request.flags & flagsWanted(wanted)) >>> 0
  const isExtended = (flagsTaken & INIT_FLAG.INIT_EXT) !== 0
  const flags2Taken = isExtended ? (request.flags2 & wanted.flags2 & ~FLAGS2_NEVER) >>> 0 : 0
  const maxPages = Math.min(Math.ceil(wanted.maxWrite / wanted.pageSize), U16_MAX)
  const hasChoice = (flagsTaken & INIT_FLAG.MAX_PAGES) !== 0
  const maxWrite = hasChoice
    ? wanted.maxWrite
    : Math.min(wanted.maxWrite, PAGES_WITHOUT_CHOICE * wanted.pageSize)
  const reply: InitReply = {
    major: FUSE_MAJOR,
    minor,
    maxReadahead: Math.min(request.maxReadahead, wanted.maxReadahead),
    flags: flagsTaken,
    flags2: flags2Taken,
    maxBackground: wanted.maxBackground,
    congestionThreshold: wanted.congestionThreshold,
    maxWrite,
    timeGranNs: 1,
    maxPages: hasChoice ? maxPages : 0,
    // Without a depth the kernel refuses to pass anything through.
    maxStackDepth: (flags2Taken & INIT_FLAG2.PASSTHROUGH) !== 0 ? 1 : 0
  }
  return { reply, isSettled: true, minor, flagsTaken, flags2Taken, maxWrite }
}

function flagsWanted(wanted: InitWanted): number {
  const always = INIT_FLAG.BIG_WRITES | INIT_FLAG.MAX_PAGES | INIT_FLAG.INIT_EXT
  return (wanted.flags | always) & ~FLAGS_NEVER
}

/** The answer to a newer major version says ours, and the rest of it is not looked at. */
function unsettled(): InitOutcome {
  const reply: InitReply = {
    major: FUSE_MAJOR,
    minor: FUSE_MINOR,
    maxReadahead: 0,
    flags: 0,
    flags2: 0,
    maxBackground: 0,
    congestionThreshold: 0,
    maxWrite: 0,
    timeGranNs: 0,
    maxPages: 0,
    maxStackDepth: 0
  }
  return { reply, isSettled: false, minor: 0, flagsTaken: 0, flags2Taken: 0, maxWrite: 0 }
}
