/** SHA-256, by which blobs are named and histories are chained. */

import { hash } from 'node:crypto'

/** SHA-256 of `bytes`, 32 bytes. */
export function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer')
}

/** SHA-256 of `bytes`, 64 hex digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}
