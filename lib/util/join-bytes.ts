/**
 * The parts in one piece of memory of its own, which can be kept for long, or handed over to
 * another thread; Buffer.concat may put it into one that others share.
 */
export function joinBytes(parts: readonly Uint8Array[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
