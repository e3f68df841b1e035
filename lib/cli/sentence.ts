/** A failure in words. */

import type { RoostError } from '../errors.ts'

/** What is said of a failure: a line for each thing that is wrong. */
export function complaintOf(error: RoostError): string {
  return sentenceOf(error)
    .split('\n')
    .map(line => `roost: ${line}\n`)
    .join('')
}

/** The message without its code, and what lay below where the message does not say that itself. */
function sentenceOf({ message, code, cause }: RoostError): string {
  const own = message.slice(code.length + 2)
  const below = innermost(cause)
  return below === undefined || own.includes(below) ? own : `${own}: ${below}`
}

function innermost(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined
  return innermost(cause.cause) ?? cause.message
}
