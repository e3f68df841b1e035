/** An event descriptor: one thread sleeps in poll(2) on it, any other wakes it. */

import * as libc from './libc.ts'

const one = Buffer.alloc(8)
one.writeBigUInt64LE(1n)
const sink = Buffer.alloc(8)

export function openEvent(): number {
  return libc.eventfd()
}

/** Wakes whoever polls `fd`. */
export function signalEvent(fd: number): void {
  libc.write(fd, one, 8)
}

/** Takes back all signals given so far. */
export function drainEvent(fd: number): void {
  libc.read(fd, sink, 8)
}

export function closeEvent(fd: number): void {
  libc.close(fd)
}
