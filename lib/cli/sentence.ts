/** A failure in words. */

import type { RoostError } from '../errors.ts'

/** The message without its code, and what lay below where the message does not say that itself. */
export function sentenceOf({ message, code, cause }: RoostError): string {
  const own = message.slice(code.length + 2)
  const below = innermost(cause)
  return below === undefined || own.includes(below) ? own : `${own}: ${below}`
}

function innermost(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined
  return innermost(cause.cause) ?? cause.message
}
