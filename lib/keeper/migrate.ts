/**
 * Brings a data directory of an older format up to the one that this Roost writes.
 *
 * It happens under the directory's lock and before anything else looks at what is in it. Each step
 * leads from one format to the next, and the identity says so durably when it is done. A step that
 * was cut short is run again from its beginning, so it has to leave alone what it did before.
 */

import { RoostError } from '../errors.ts'
import { DATA_FORMAT, writeIdentity, type Identity } from '../io/data-directory.ts'
import type { Disk } from '../io/disk.ts'

/** What was changed is durable when this resolves. */
export type Migration = (disk: Disk) => Promise<void>

/** By the format that a step begins with. */
const MIGRATIONS: ReadonlyMap<number, Migration> = new Map([
  // Format 2 has more kinds of entries and keys: what is there stays as it is.
  [1, () => Promise.resolve()]
]) satisfies ReadonlyMap<number, Migration>

/**
 * @returns the identity afterwards
 * @throws RoostError DATA_FORMAT no way leads from that format; or what a step or the disk throws
 */
export async function migrateDataDirectory(
  directory: string,
  disk: Disk,
  before: Identity,
  migrations = MIGRATIONS,
  format = DATA_FORMAT
): Promise<Identity> {
  let identity = before
  while (identity.format < format) {
    const step = migrations.get(identity.format)
    if (step === undefined) {
      const what = `${directory} has format ${identity.format}, which this Roost cannot convert`
      throw new RoostError('DATA_FORMAT', what)
    }
    await step(disk)
    identity = { ...identity, format: identity.format + 1 }
    writeIdentity(directory, identity)
  }
  return identity
}
