import { execFile } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { ERRNO } from '../../lib/errors.ts'
import { requireFusermount, requireRoot } from '../support/prerequisites.ts'

const SCENARIOS = fileURLToPath(new URL('../support/mount-scenarios.ts', import.meta.url))
const NOBODY = 65534
/** The processes of a scenario start slowly on a busy machine, as they compile what they run. */
const TEST_MS = 300_000

/** What tiny-fs-exercise.mjs sees when all is well. */
const EXERCISE = {
  content: 'hello world',
  nlink: 2,
  target: 'dir/file',
  names: ['caf\xe9', 'dir', 'linked', 'moved', 'symlink'],
  types: 1,
  stat: { size: 200_000, mode: '100640' },
  mtime: '-1000000001',
  mtimeLater: '8589934592000000001',
  lock: 'none',
  statfs: { blocks: 1000, bfree: 900, bavail: 800 },
  copied: 250_000,
  left: ['caf\xe9'],
  missing: 'ENOENT'
}

/**
 * Gives the namespace the kernel's control files and a device that everyone may open, as udev has
 * it; runs the rest of the arguments.
 */
const PREPARE = `set -e
mount -t fusectl fusectl /sys/fs/fuse/connections
mount -t tmpfs tmpfs "$1"
mknod -m 666 "$1/fuse" c 10 229
mount --bind "$1/fuse" /dev/fuse
umount --lazy "$1"
shift
exec "$@"`

/** What each scenario of a user has seen. */
type Seen = Record<string, Record<string, unknown>>

/** Runs scenarios as some user, in a namespace whose mounts and processes end with them. */
async function run(t: Test, uid: number, scenarios: readonly string[]): Promise<Seen> {
  const place = mkdtempSync(join(tmpdir(), 'roost-mount-'))
  t.teardown(() => rmSync(place, { recursive: true }))
  chmodSync(place, 0o755)
  chownSync(place, uid, uid)
  const namespace = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child']
  const user = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']
  const node = [process.execPath, ...process.execArgv, SCENARIOS, place, ...scenarios]
  const command = [...namespace, 'sh', '-c', PREPARE, 'sh', place, ...user, ...node]
  const options = { timeout: TEST_MS, cwd: '/' }
  const { stdout } = await promisify(execFile)('unshare', command, options)
  return JSON.parse(stdout) as Seen
}

function checkServe(t: Test, seen: unknown, allowsOther: boolean): void {
  const during = { state: 'mounted', source: 'tiny', type: 'fuse', isAnswering: true }
  t.match(seen, { during, isSame: true, seen: EXERCISE, refusal: 'MOUNT_FAILED' })
  t.match(seen, { errno: ERRNO.ENODEV, after: { state: 'free' }, allowsOther })
}

function checkStale(t: Test, seen: unknown): void {
  t.match(seen, { before: { state: 'stale', source: 'roost' } })
  t.match(seen, { refusal: /^MOUNT_STALE: .* is still mounted by a daemon that is gone; --force/ })
  t.match(seen, { mounted: { state: 'mounted', isAnswering: true } })
  t.match(seen, { errno: ERRNO.ENODEV, after: { state: 'free' } })
}

function checkBusy(t: Test, seen: unknown): void {
  t.match(seen, { refusal: /^MOUNT_FAILED: .* it is in use/, detached: { state: 'free' } })
  t.match(seen, { errno: ERRNO.ENODEV })
}

t.setTimeout(TEST_MS)
t.before(() => {
  requireRoot()
  requireFusermount()
})

t.test('root mounts', async t => {
  const seen = await run(t, 0, ['serve', 'stale', 'busy', 'silent', 'inherit', 'notify'])

  t.test('a mount is used and unmounted, and is busy to a second daemon meanwhile', async t => {
    checkServe(t, seen['serve'], true)
  })
  t.test('what a killed daemon left is named, and unmounted by force', async t => {
    checkStale(t, seen['stale'])
  })
  t.test('a mount in use is not unmounted from outside, and ends with its last user', async t => {
    checkBusy(t, seen['busy'])
  })
  t.test('a daemon that hangs holds nobody who looks, and is unmounted by force', async t => {
    t.match(seen['silent'], {
      before: { state: 'mounted', source: 'roost', isAnswering: false },
      refusal: /^MOUNT_FAILED: .* already, whose daemon does not answer$/,
      after: { state: 'free' },
      nothing: 'NOT_MOUNTED'
    })
  })
  t.test('a device that a parent has mounted is served by its child', async t => {
    const rest = { heir: ERRNO.ENODEV }
    t.match(seen['inherit'], { first: 'MOUNT_FAILED', seen: EXERCISE, rest })
  })
  t.test('the notify thread makes the kernel forget pages and names', async t => {
    t.strictSame(seen['notify']?.['pages'], { before: 'one', unasked: 'one', after: 'two' })
    t.strictSame(seen['notify']?.['names'], { before: 'one', unasked: 'one', after: 'other' })
    t.strictSame(seen['notify']?.['absent'], { before: 'none', unasked: 'none', after: 'come' })
  })
  t.test('it waits where the kernel waits for an answer, and the server goes on', async t => {
    const busy = { isWaiting: true, isTold: false, others: 'two' }
    t.strictSame(seen['notify']?.['held'], { busy, read: 'three', then: 'seven' })
  })
  t.test('it says what the kernel refuses, and not what the kernel does not know', async t => {
    t.strictSame(seen['notify']?.['unknown'], { inode: 0, name: 0, nonsense: -ERRNO.EINVAL })
  })
})

t.test('an ordinary user mounts through fusermount3', async t => {
  const seen = await run(t, NOBODY, ['serve', 'stale', 'busy', 'refusals'])

  t.test('a mount is used and unmounted, and closed to others', async t => {
    checkServe(t, seen['serve'], false)
  })
  t.test('what a killed daemon left is named, and unmounted by force', async t => {
    checkStale(t, seen['stale'])
  })
  t.test('a mount in use is not unmounted from outside, and ends with its last user', async t => {
    checkBusy(t, seen['busy'])
  })
  t.test('what cannot be mounted is refused with the reason', async t => {
    t.match(seen['refusals'], {
      missing: /^MOUNT_FAILED: .*missing cannot be a mount point: ENOENT/,
      below: /^MOUNT_FAILED: .*below cannot be a mount point: ENOENT/,
      file: /^MOUNT_FAILED: .*file cannot be a mount point: it is no directory$/,
      notMine: /^MOUNT_FAILED: \/usr cannot be mounted: fusermount3: .*/,
      others: /^MOUNT_FAILED: only root may let other users into a mount, unless \/etc\/fuse.conf/,
      notMounted: /^NOT_MOUNTED: nothing that Roost could unmount is mounted at/
    })
  })
})
