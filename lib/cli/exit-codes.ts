/** Exit codes, from sysexits.h. */

import type { RoostErrorCode } from '../errors.ts'

export const EX_OK = 0
export const EX_USAGE = 64
export const EX_DATAERR = 65
export const EX_NOINPUT = 66
export const EX_UNAVAILABLE = 69
export const EX_SOFTWARE = 70
export const EX_OSERR = 71
export const EX_CANTCREAT = 73
export const EX_IOERR = 74
export const EX_TEMPFAIL = 75
export const EX_CONFIG = 78

const CODES: Partial<Record<RoostErrorCode, number>> = {
  BAD_CONFIG: EX_CONFIG,
  CONFIG_UNREADABLE: EX_NOINPUT,
  DATA_FORMAT: EX_DATAERR,
  DATA_IN_USE: EX_TEMPFAIL,
  DATA_UNUSABLE: EX_NOINPUT,
  CONTROL_FAILED: EX_UNAVAILABLE,
  NOT_FOUND: EX_NOINPUT,
  TARGET_UNUSABLE: EX_CANTCREAT,
  VIEW_LOST: EX_TEMPFAIL,
  NOT_MOUNTED: EX_UNAVAILABLE,
  PEER_FAILED: EX_UNAVAILABLE,
  COUNCIL_DAMAGED: EX_DATAERR,
  FEED_DAMAGED: EX_DATAERR,
  MOUNT_FAILED: EX_OSERR,
  MOUNT_STALE: EX_OSERR
}

export function exitCodeOf(code: RoostErrorCode): number {
  return CODES[code] ?? EX_IOERR
}

/** Where a verb that did not throw leaves its exit code. */
export interface Outcome {
  exitCode: number
}

/** Ends a verb that has said why, with a code of its own. */
export class VerbExit extends Error {
  override readonly name = 'VerbExit'
  readonly exitCode: number

  constructor(exitCode: number, options?: ErrorOptions) {
    super(`exit code ${exitCode}`, options)
    this.exitCode = exitCode
  }
}
