/**
 * Assertions for what cannot be, as opposed to what merely fails.
 *
 * An InvariantError is a bug in Roost. Nobody catches it: tests fail, and a daemon unmounts,
 * prints it and exits, because going on could write a wrong history.
 */

/** A broken invariant. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** @throws InvariantError when `condition` does not hold. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}

/** Returns `value`, of which the caller knows that it is there. @throws InvariantError if not. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new InvariantError(`${what} is missing`)
  return value
}

/** Ends an exhaustive switch: the compiler refuses it while a case is missing. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`)
}
