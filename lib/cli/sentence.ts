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
  const own = ownWords({ message, code })
  const below = innermost(cause)
  return below === undefined || own.includes(below) ? own : `${own}: ${below}`
}

/** Ours begin with their code, which is for programs. */
function ownWords(error: { readonly message: string; readonly code?: unknown }): string {
  const { message, code } = error
  return typeof code === 'string' ? message.replace(`${code}: `, '') : message
}

function innermost(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined
  return innermost(cause.cause) ?? ownWords(cause)
}
