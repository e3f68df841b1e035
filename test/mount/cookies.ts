/**
 * A listing of a large directory that goes on where another process left it, although names came
 * and went meanwhile and the daemon was stopped, or killed.
 */

import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { makeLargeDirectory } from '../support/large-directory.ts'
import { mountRoost, runRoost } from '../support/roost-mount.ts'
import { command, placeFor, shellOk } from './place.ts'

const PART = fileURLToPath(new URL('listing-part.mjs', import.meta.url))
const COUNT = 200_000
const PART_COUNT = 70_000

t.setTimeout(600_000)

/** What two changes of the directory touch, in what is read before, between and after them. */
const CHANGES = [
  'rm n5 n70000 n199990; mv n6 moved; ln -s x new; rm n7; ln -s x n7; ln -s x gone-soon',
  'rm n8 n80000 n150001 new gone-soon; mv n150003 n9; mv n81000 later; ln -s x newer'
]
const TOUCHED = new Set(CHANGES.flatMap(change => change.match(/\bn\d+\b/g) ?? []))

t.test('200 000 names: each that stays is seen once, over changes and restarts', async t => {
  const { directory, dataDir } = await placeFor(t)
  await mkdir(dataDir)
  t.equal((await runRoost('init', '--data', dataDir)).code, 0)
  await makeLargeDirectory(dataDir, 'user/cur', COUNT)
  const mount = await mountRoost(t, { directory })
  const large = join(mount.mountpoint, 'user/cur')
  const namesFile = join(directory, 'names')

  const seen: string[][] = []
  let place = 'start'
  /** Reads on; the last name that it saw is removed, so that the place is nobody's any more. */
  const read = async (count: number): Promise<string> => {
    const part = [process.execPath, PART, large, place, String(count), namesFile]
    const { code, stdout, stderr } = await command(part)
    if (code !== 0) throw new Error(stderr)
    place = stdout.trim()
    const names = (await readFile(namesFile, 'latin1')).split('\n')
    seen.push(names)
    return names.at(-1) ?? ''
  }
  const change = async (script: string | undefined, last: string): Promise<void> => {
    TOUCHED.add(last)
    await shellOk(`set -e; cd "$1"; rm ${last}; ${String(script)}`, large)
  }

  await change(CHANGES[0], await read(PART_COUNT))
  t.equal(await mount.stop(), 0)
  await mount.restart()
  await change(CHANGES[1], await read(PART_COUNT))
  await shellOk('sync -f "$1"', large)
  await mount.kill()
  await mount.restart()
  await read(Infinity)

  t.strictSame(
    seen.map(names => names.length > PART_COUNT / 2),
    [true, true, true],
    'three parts'
  )
  const counts = new Map<string, number>()
  for (const name of seen.flat()) counts.set(name, (counts.get(name) ?? 0) + 1)
  const stayed = Array.from({ length: COUNT }, (_, i) => `n${String(i)}`).filter(
    name => !TOUCHED.has(name)
  )
  t.equal(stayed.length, COUNT - TOUCHED.size)
  t.strictSame(
    stayed.filter(name => counts.get(name) !== 1),
    [],
    'no name is left out or comes twice'
  )
  const rest = seen.at(-1) ?? []
  t.strictSame(
    ['n150001', 'n150003', 'n199990', 'n80000', 'new', 'gone-soon'].filter(name =>
      rest.includes(name)
    ),
    [],
    'what was removed does not come'
  )
  t.strictSame(rest.slice(-4), ['moved', 'n7', 'later', 'newer'], 'what came last is last')
})
