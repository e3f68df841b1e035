/** The leases of a store that nobody else serves: everything may be changed, by each run anew. */

import type { Leases } from './ports.ts'

export const SOLE_REPLICA: Leases = {
  isShared: false,
  require: () => undefined,
  epochOf: () => undefined,
  appended: () => undefined,
  awaitMore: () => undefined,
  requireAcknowledged: () => undefined
}
