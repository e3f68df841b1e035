/** What programs that embed Roost may use. */

export { errnoOf, ERRNO, FsError, RoostError, type RoostErrorCode } from './errors.ts'
export type { Status } from './host/status.ts'
export { DATA_FORMAT, initDataDirectory, readIdentity } from './io/data-directory.ts'
export { DEFAULT_TUNING, type Tuning } from './host/tuning.ts'
export { createLogger, type Logger } from './io/logger.ts'
export { Replica, type ReplicaOptions } from './replica.ts'
export type { Stats } from './stats.ts'
