/** What cannot be mounted is refused, with the reason in words and an exit code of sysexits. */

import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { mountRoost, ROOST, runRoost } from '../support/roost-mount.ts'
import { command, mountsBelow, placeFor, shellOk, type Place } from './place.ts'

const EX_USAGE = 64
const EX_DATAERR = 65
const EX_NOINPUT = 66
const EX_OSERR = 71
const EX_TEMPFAIL = 75
const EX_CONFIG = 78

const NOBODY = '65534'
/** What a program of somebody else's imports. */
const PACKAGE = new URL('../../dist/lib/index.js', import.meta.url).href

async function storeAt(place: Place): Promise<void> {
  const { code, stderr } = await runRoost('init', '--data', place.dataDir)
  if (code !== 0) throw new Error(stderr)
}

interface Refusal {
  readonly code: number
  readonly stderr: string
}

async function checkRefused(
  t: Test,
  { directory, dataDir, mountpoint }: Place,
  expected: Refusal,
  ...flags: readonly string[]
): Promise<void> {
  const before = await mountsBelow(directory)
  const seen = await runRoost('mount', mountpoint, '--data', dataDir, ...flags)
  t.match(seen, { ...expected, stdout: /^$/ }, `refused ${flags.join(' ')}`)
  t.notMatch(seen.stderr, /\n +at /, 'by a sentence, not by a stack')
  t.strictSame(await mountsBelow(directory), before, 'nothing is mounted')
}

/** As `checkRefused`, in the foreground and in the background, where the words are the same. */
async function checkBothRefused(t: Test, place: Place, expected: Refusal): Promise<void> {
  await checkRefused(t, place, expected)
  await checkRefused(t, place, expected, '--daemon')
}

t.test('a data directory that is not there is refused', async t => {
  const place = await placeFor(t)
  const stderr = `roost: ${place.dataDir} cannot be used: it is not there; "roost init" makes one\n`
  await checkBothRefused(t, place, { code: EX_NOINPUT, stderr })
  const status = await runRoost('status', '--data', place.dataDir)
  t.match(status, { code: EX_NOINPUT, stdout: /^$/, stderr })
})

t.test('a data directory that is a file is refused', async t => {
  const place = await placeFor(t)
  await writeFile(place.dataDir, 'not a directory')
  const stderr = `roost: ${place.dataDir} cannot be used: it is not a directory\n`
  await checkRefused(t, place, { code: EX_NOINPUT, stderr })
  t.match(await runRoost('status', '--data', place.dataDir), { code: EX_NOINPUT, stderr })
  t.match(await runRoost('init', '--data', place.dataDir), { code: EX_NOINPUT, stderr })
  t.equal(await readFile(place.dataDir, 'utf8'), 'not a directory')
})

t.test('a directory without a store is refused, and none is made of it unasked', async t => {
  const place = await placeFor(t)
  await mkdir(place.dataDir)
  await writeFile(join(place.dataDir, 'letter'), 'mine')
  const { dataDir } = place
  await checkRefused(t, place, {
    code: EX_NOINPUT,
    stderr: `roost: ${dataDir} cannot be used: it holds no store; "roost init" makes one\n`
  })
  const init = await runRoost('init', '--data', dataDir)
  const stderr = `roost: ${dataDir} is not empty and no data directory\n`
  t.match(init, { code: EX_NOINPUT, stderr })
  t.strictSame(await readdir(dataDir), ['letter'])
})

t.test('a store is not made twice', async t => {
  const place = await placeFor(t)
  await storeAt(place)
  const identity = await readFile(join(place.dataDir, 'roost.json'), 'utf8')
  const stderr = `roost: ${place.dataDir} is a data directory already\n`
  t.match(await runRoost('init', '--data', place.dataDir), { code: EX_NOINPUT, stderr })
  t.equal(await readFile(join(place.dataDir, 'roost.json'), 'utf8'), identity)
})

t.test('a data directory of a newer format is refused, and both formats are named', async t => {
  const place = await placeFor(t)
  await storeAt(place)
  const file = join(place.dataDir, 'roost.json')
  const identity = JSON.parse(await readFile(file, 'utf8')) as { format: number }
  await writeFile(file, JSON.stringify({ ...identity, format: identity.format + 1 }))
  const stderr =
    `roost: ${place.dataDir} has format ${String(identity.format + 1)}; ` +
    `this Roost knows formats up to ${String(identity.format)}\n`
  await checkRefused(t, place, { code: EX_DATAERR, stderr })
  t.match(await runRoost('status', '--data', place.dataDir), { code: EX_DATAERR, stderr })
})

t.test('an identity that is damaged is refused', async t => {
  const place = await placeFor(t)
  await storeAt(place)
  for (const text of ['', '{"format":', '[]', 'null', '{"format":"1","storeId":"x"}']) {
    await writeFile(join(place.dataDir, 'roost.json'), text)
    await checkRefused(t, place, { code: EX_NOINPUT, stderr: `roost: ${place.dataDir}` })
  }
})

t.test('a data directory on a read-only file system is refused', async t => {
  const place = await placeFor(t)
  await storeAt(place)
  await shellOk('mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"', place.dataDir)
  const stderr = `roost: ${place.dataDir} cannot be used: EROFS: read-only file system`
  await checkBothRefused(t, place, { code: EX_NOINPUT, stderr })
})

t.test('a data directory that belongs to somebody else is refused', async t => {
  const place = await placeFor(t)
  await storeAt(place)
  await shellOk('chown "$1" "$2"', NOBODY, place.mountpoint)
  const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
  const { dataDir, mountpoint } = place
  const mount = [...user, process.execPath, ROOST, 'mount', mountpoint, '--data', dataDir]
  const stderr = `roost: ${dataDir} cannot be used: EACCES: permission denied`
  for (const mode of [0o700, 0o755]) {
    await chmod(dataDir, mode)
    t.match(await command(mount), { code: EX_NOINPUT, stdout: /^$/, stderr })
  }
  // All may read what it is, and only its owner may write to it.
  await chmod(join(dataDir, 'roost.json'), 0o644)
  t.match(await command(mount), { code: EX_NOINPUT, stdout: /^$/, stderr })
  t.match(await command([...mount, '--daemon']), { code: EX_NOINPUT, stdout: /^$/, stderr })
  t.strictSame(await mountsBelow(place.directory), [])
})

t.test('a data directory that is served already is refused, and the daemon is named', async t => {
  const mount = await mountRoost(t)
  const place = await placeFor(t)
  const dataDir = mount.dataDir
  const stderr = `roost: ${dataDir} is served by process ${String(mount.pid)} already\n`
  await checkBothRefused(t, { ...place, dataDir }, { code: EX_TEMPFAIL, stderr })
  t.equal((await mount.status()).state, 'serving', 'the first one goes on')
})

t.test('a mount point that is missing, or a file, is refused', async t => {
  const place = await placeFor(t)
  await storeAt(place)
  const missing = join(place.directory, 'missing')
  await checkRefused(
    t,
    { ...place, mountpoint: missing },
    { code: EX_OSERR, stderr: `roost: ${missing} cannot be a mount point: ENOENT: no such file` }
  )
  const file = join(place.directory, 'file')
  await writeFile(file, '')
  await checkBothRefused(
    t,
    { ...place, mountpoint: file },
    { code: EX_OSERR, stderr: `roost: ${file} cannot be a mount point: it is no directory\n` }
  )
})

t.test('a mount point that would hide the data directory is refused', async t => {
  const place = await placeFor(t)
  await storeAt(place)
  for (const mountpoint of [place.dataDir, place.directory]) {
    const hidden = `${place.dataDir} would be hidden`
    const stderr = `roost: ${mountpoint} cannot be the mount point: ${hidden}`
    await checkRefused(t, { ...place, mountpoint }, { code: EX_CONFIG, stderr })
  }
})

t.test('a mount point that is not empty is taken, and shows what it had afterwards', async t => {
  const place = await placeFor(t)
  await storeAt(place)
  await writeFile(join(place.mountpoint, 'below'), 'still here')
  const { dataDir, mountpoint } = place
  const mounted = await runRoost('mount', mountpoint, '--data', dataDir, '--daemon')
  t.match(mounted, { code: 0, stdout: `roost: ${mountpoint} is mounted\n`, stderr: /^$/ })
  t.equal(await shellOk('ls -A "$1"', mountpoint), '')
  t.match(await runRoost('umount', mountpoint), { code: 0 })
  t.equal(await shellOk('cat "$1/below"', mountpoint), 'still here')
})

t.test('a mount that a killed daemon left is named, and taken away by --force', async t => {
  const place = await placeFor(t)
  await storeAt(place)
  const { dataDir, mountpoint } = place
  await runRoost('mount', mountpoint, '--data', dataDir, '--daemon', '--no-supervise')
  await shellOk('echo kept >"$1/file" && sync -f "$1/file"', mountpoint)
  const status = await runRoost('status', '--data', dataDir, '--json')
  const { pid } = JSON.parse(status.stdout) as { pid: number }
  await shellOk('kill -9 "$1" && while kill -0 "$1"; do sleep 0.01; done', String(pid))
  const refused = await runRoost('mount', mountpoint, '--data', dataDir)
  const remedy = 'is still mounted by a daemon that is gone; --force unmounts it'
  const still = `roost: ${mountpoint} ${remedy}`
  t.match(refused, { code: EX_OSERR, stdout: /^$/, stderr: still })
  const forced = await runRoost('mount', mountpoint, '--data', dataDir, '--daemon', '--force')
  t.match(forced, { code: 0, stdout: `roost: ${mountpoint} is mounted\n` })
  t.equal(await shellOk('cat "$1/file"', mountpoint), 'kept\n')
  t.match(await runRoost('umount', mountpoint), { code: 0 })
  t.strictSame(await mountsBelow(place.directory), [])
})

t.test('what the command line does not know is refused as wrong usage', async t => {
  const place = await placeFor(t)
  const lines: [string[], string][] = [
    [['mont'], "error: unknown command 'mont'\n(Did you mean mount?)"],
    [['mount', '--data', 'x'], 'error: no mount point; an argument, ROOST_MOUNT_POINT or a conf'],
    [
      ['mount', place.mountpoint],
      'error: no data directory; --data, ROOST_DATA or a configuration'
    ],
    [['status', '--data', 'x', '--jsn'], "error: unknown option '--jsn'\n(Did you mean --json?)"],
    [['umount'], 'error: no mount point; an argument, ROOST_MOUNT_POINT or a configuration says'],
    [['init', '--data', 'x', '--volume-depth', '9'], 'error: option'],
    [['mount', place.mountpoint, '--data', 'x', '--fuse-fd', 'y'], 'error: option'],
    [['mount', place.mountpoint, '--data', 'x', '--mode', 'y'], 'error: option']
  ]
  for (const [args, stderr] of lines) {
    const seen = await runRoost(...args)
    t.match(seen, { code: EX_USAGE, stdout: /^$/, stderr }, args.join(' '))
  }
  t.match(await runRoost('--help'), { code: 0, stdout: 'Usage: roost', stderr: /^$/ })
})

t.test('a replica that cannot serve takes its mount away again', async t => {
  const place = await placeFor(t)
  await storeAt(place)
  // No function can be handed to the thread that serves.
  const script = `
    const { createLogger, DEFAULT_TUNING, Replica } = await import(process.argv[1])
    const [, , dataDirectory, mountpoint] = process.argv
    const tuning = { ...DEFAULT_TUNING, fileRules: [() => 0] }
    const logger = createLogger('test')
    await new Replica({ dataDirectory, mountpoint, force: false, tuning, logger }).open()`
  const words = ['--input-type=module', '-e', script, PACKAGE, place.dataDir, place.mountpoint]
  t.match(await command([process.execPath, ...words]), { code: 1, stderr: 'could not be cloned' })
  t.strictSame(await mountsBelow(place.directory), [])
})
