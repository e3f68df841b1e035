/** The windows that a body's extents are kept by. */

/** Bytes of a window; as long as the longest blob. */
export const WINDOW_SIZE = 1024 * 1024

export function windowOf(offset: number): number {
  return Math.floor(offset / WINDOW_SIZE)
}

/** Numbers of the windows that [offset, offset + length) touches. */
export function* windowsOf(offset: number, length: number): Generator<number> {
  if (length <= 0) return
  const last = windowOf(offset + length - 1)
  for (let window = windowOf(offset); window <= last; window++) yield window
}
