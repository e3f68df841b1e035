/**
 * Why an op cannot go on now: something is not in memory, or not done yet.
 *
 * An op throws it before it has changed anything, and is run again from its beginning when what
 * it waits for has come. So it holds nothing while it waits, and sees the state of then.
 */
export class Wait extends Error {
  override readonly name = 'Wait'
  readonly key: string

  constructor(key: string) {
    super(key)
    this.key = key
  }
}
