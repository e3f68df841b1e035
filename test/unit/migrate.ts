import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  DATA_FORMAT,
  initDataDirectory,
  readIdentity,
  writeIdentity
} from '../../lib/io/data-directory.ts'
import { NodeDisk } from '../../lib/io/node-disk.ts'
import { migrateDataDirectory, type Migration } from '../../lib/keeper/migrate.ts'

/** A store of that format, as far as it says so itself. */
async function storeFor(t: Test, format = 1): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'roost-migrate-'))
  t.teardown(() => rm(parent, { recursive: true, force: true }))
  const directory = join(parent, 'data')
  writeIdentity(directory, { ...initDataDirectory(directory, 2), format })
  return directory
}

/** Steps that write down what they did. */
function steps(did: string[], from: readonly number[]): ReadonlyMap<number, Migration> {
  const step = (format: number): Migration => {
    return async () => {
      await Promise.resolve()
      did.push(`from ${format}`)
    }
  }
  return new Map(from.map(format => [format, step(format)]))
}

t.test('a directory of this format is left as it is', async t => {
  const directory = await storeFor(t, DATA_FORMAT)
  const before = readIdentity(directory)
  const after = await migrateDataDirectory(directory, new NodeDisk(directory), before)
  t.equal(after, before)
})

t.test('there is a way to this format from every older one', async t => {
  for (let format = 1; format < DATA_FORMAT; format++) {
    const directory = await storeFor(t, format)
    const before = readIdentity(directory)
    await migrateDataDirectory(directory, new NodeDisk(directory), before)
    t.strictSame(readIdentity(directory), { ...before, format: DATA_FORMAT })
  }
})

t.test('an older one goes through every step, and keeps what it is', async t => {
  const directory = await storeFor(t)
  const before = readIdentity(directory)
  const did: string[] = []
  const disk = new NodeDisk(directory)
  await migrateDataDirectory(directory, disk, before, steps(did, [1, 2, 3]), 3)
  t.strictSame(did, ['from 1', 'from 2'])
  // Not with readIdentity, to which such a format is too new.
  const raw = Buffer.alloc(1000)
  const file = disk.openRead('roost.json')
  const text = raw.toString('utf8', 0, file.read(raw, 0))
  file.close()
  t.strictSame(JSON.parse(text), { ...before, format: 3 })
})

t.test('a step that fails is run again the next time, and those before it are not', async t => {
  const directory = await storeFor(t)
  const disk = new NodeDisk(directory)
  const before = readIdentity(directory)
  const did: string[] = []
  const failing = new Map(steps(did, [1]))
  failing.set(2, () => Promise.reject(new Error('the disk is full')))
  await t.rejects(migrateDataDirectory(directory, disk, before, failing, 3), /the disk is full/)
  const cut = { ...before, format: 2 }
  await migrateDataDirectory(directory, disk, cut, steps(did, [1, 2]), 3)
  t.strictSame(did, ['from 1', 'from 2'])
})

t.test('a format from which no way leads is refused', async t => {
  const directory = await storeFor(t)
  const before = { ...readIdentity(directory), format: 0 }
  writeIdentity(directory, before)
  await t.rejects(migrateDataDirectory(directory, new NodeDisk(directory), before), {
    code: 'DATA_FORMAT',
    message: `DATA_FORMAT: ${directory} has format 0, which this Roost cannot convert`
  })
})
