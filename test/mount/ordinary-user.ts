/** A user who is not root makes a store, mounts it through fusermount3, uses it and unmounts it. */

import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { requireFusermount, requireRoot } from '../support/prerequisites.ts'
import { PLAINLY, ROOST } from '../support/roost-mount.ts'

const NOBODY = 65534
const PATIENCE_MS = 120_000

/** Gives the namespace a device that everyone may open, as udev has it, and becomes the user. */
const PREPARE = `set -e
mount -t tmpfs tmpfs "$1"
mknod -m 666 "$1/fuse" c 10 229
mount --bind "$1/fuse" /dev/fuse
umount --lazy "$1"
shift
exec setpriv --reuid=${String(NOBODY)} --regid=${String(NOBODY)} --clear-groups "$@"`

/** What the user does; every line that it prints is looked at. */
const SESSION = `set -e
cd "$1"
node=$2 roost=$3
mkdir mnt
"$node" "$roost" init --data data
"$node" "$roost" mount mnt --data data --daemon
mkdir mnt/user
printf 'first\\n' >mnt/user/file
mv mnt/user/file mnt/user/moved
stat -c '%u %g %a' mnt/user
"$node" "$roost" status --data data | sed -n 2p | sed 's/ for .*//'
if "$node" "$roost" mount mnt --data data; then echo mounted twice; fi
"$node" "$roost" umount mnt
ls -A mnt
"$node" "$roost" mount mnt --data data --daemon
cat mnt/user/moved
"$node" "$roost" umount mnt
"$node" "$roost" status --data data | tail -1`

t.before(() => {
  requireRoot()
  requireFusermount()
})

t.test('an ordinary user does all of it without root', async t => {
  t.setTimeout(PATIENCE_MS)
  const place = await mkdtemp(join(tmpdir(), 'roost-user-'))
  t.teardown(() => rm(place, { recursive: true, force: true }))
  await chmod(place, 0o700)
  await chown(place, NOBODY, NOBODY)
  // What is mounted, and whoever serves it, ends with the namespace.
  const namespace = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child']
  const session = ['sh', '-c', SESSION, 'sh', place, process.execPath, ROOST]
  const command = ['unshare', ...namespace, 'sh', '-c', PREPARE, 'sh', place, ...session]
  const [program, ...args] = [...PLAINLY, ...command]
  const options = { timeout: PATIENCE_MS, cwd: '/' }
  const { stdout, stderr } = await promisify(execFile)(program, args, options)
  const mountpoint = join(place, 'mnt')
  t.strictSame(stdout.split('\n'), [
    `roost: ${join(place, 'data')} is a store now`,
    `roost: ${mountpoint} is mounted`,
    `${String(NOBODY)} ${String(NOBODY)} 755`,
    `state           serving ${mountpoint}`,
    `roost: ${mountpoint} is unmounted`,
    `roost: ${mountpoint} is mounted`,
    'first',
    `roost: ${mountpoint} is unmounted`,
    'state           not mounted',
    ''
  ])
  t.match(stderr, /^roost: \S+\/data is served by process \d+ already\n$/)
})
