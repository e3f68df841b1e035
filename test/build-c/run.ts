/**
 * A large C project, git, unpacks and builds on a mount, and every object file is the one that the
 * machine's own filesystem gets.
 *
 * Its source comes from Debian's packages, by way of apt as this machine has it set up.
 */

import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { placeFor } from '../mount/place.ts'
import { mountRoost, PLAINLY } from '../support/roost-mount.ts'

/** Both builds together take minutes. */
const PATIENCE_MS = 1_800_000
const OUTPUT_BYTES_MAX = 1 << 26

/** What git can do without, so that a C library, zlib and OpenSSL are enough. */
const LEFT_OUT = ['CURL', 'GETTEXT', 'TCLTK', 'PERL', 'PYTHON'].map(part => `NO_${part}=1`)
/** No optimization, to be quick; nothing in the objects that tells where they were made. */
const MAKE = ['make', `-j${String(availableParallelism())}`, 'CFLAGS=-O0 -g0', ...LEFT_OUT, 'git']

/** What was built takes everything that lies beside it into a repository, and packs it. */
const USE = `set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
./git init -q .
./git add -f .
./git commit -q -m all
./git gc -q
./git fsck
test -z "$(./git status --short)"`

t.setTimeout(PATIENCE_MS)

t.test('git unpacks, builds and works on the mount as on ext4', async t => {
  const { directory } = await placeFor(t)
  const archive = await sourceOfGit(directory)
  const plain = join(directory, 'plain')
  await mkdir(plain)
  const expected = await buildIn(plain, archive)
  const mount = await mountRoost(t, { directory })
  const seen = await buildIn(mount.mountpoint, archive)
  t.equal(seen, expected)
  t.equal(await mount.stop(), 0)
})

/** @returns the path of the archive */
async function sourceOfGit(directory: string): Promise<string> {
  try {
    await runIn(directory, 'apt-get', 'source', '--download-only', '-q', 'git')
  } catch (error) {
    const wanted =
      'apt with a source of packages in source form ("deb-src"), after "apt-get update"'
    throw new Error(`This test needs dpkg-dev, and ${wanted}`, { cause: error })
  }
  const archives = await runIn(directory, 'sh', '-c', 'ls -d "$PWD"/git_*.orig.tar.xz')
  return archives.trim()
}

/** @returns the hash of every object file, by name */
async function buildIn(directory: string, archive: string): Promise<string> {
  const tree = join(directory, 'git')
  await runIn(directory, 'mkdir', tree)
  await runIn(tree, 'tar', 'xf', archive, '--strip-components=1')
  await runIn(tree, ...MAKE)
  await runIn(tree, 'sh', '-c', USE)
  const list = 'find . -name "*.o" | LC_ALL=C sort | xargs sha256sum'
  return runIn(tree, 'sh', '-c', list)
}

async function runIn(cwd: string, ...words: readonly string[]): Promise<string> {
  const options = {
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_BYTES_MAX
  } as const
  // Not this process, but `env`, goes into a directory that may be on the mount.
  const [program, ...args] = [...PLAINLY, '-C', cwd, ...words]
  return (await promisify(execFile)(program, args, options)).stdout
}
