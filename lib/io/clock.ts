/** Time, as everything outside io/ sees it. */
export interface Clock {
  /** Nanoseconds since 1970, as the wall clock has them; may step. */
  nowNs(): bigint
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number
}
