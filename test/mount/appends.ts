/**
 * A write that lands elsewhere than the kernel has put it in its cache: the kernel is told, and
 * whoever reads sees what is stored.
 *
 * RWF_NOAPPEND makes the two differ: the kernel takes the position that it is given, and the
 * request still says that the file is open for appending.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { mountRoost } from '../support/roost-mount.ts'
import { command, placeFor, shellOk } from './place.ts'

const WRITER = fileURLToPath(new URL('append-writer.mjs', import.meta.url))
const CONTENT = 'a'.repeat(20)
const IN_THE_MIDDLE = 'aaaaaHEREaaaaaaaaaaa'
const AT_THE_END = `${CONTENT}HERE`

/** What the writer has seen; it goes on reading until that is `expected`. */
async function seenBy(file: string, expected: string): Promise<unknown> {
  const writer = [process.execPath, WRITER, file, CONTENT, 'HERE', '5', expected]
  const { code, stdout, stderr } = await command(writer)
  if (/EOPNOTSUPP/.test(stderr)) throw new Error('this test needs Linux 6.9 or newer')
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

t.test('ext4: a position counts in a file that is open for appending', async t => {
  const { directory } = await placeFor(t)
  const seen = await seenBy(join(directory, 'log'), IN_THE_MIDDLE)
  t.strictSame(seen, { before: CONTENT, after: IN_THE_MIDDLE, size: CONTENT.length })
})

t.test('the kernel says where a write goes as long as it alone has the file', async t => {
  const mount = await mountRoost(t)
  const file = join(mount.mountpoint, 'user/dovecot.index.log')
  await shellOk('mkdir "$1/user"', mount.mountpoint)
  const seen = await seenBy(file, IN_THE_MIDDLE)
  t.strictSame(seen, { before: CONTENT, after: IN_THE_MIDDLE, size: CONTENT.length })
  await mount.kill()
  await mount.restart()
  t.equal(await shellOk('cat "$1"', file), IN_THE_MIDDLE, 'and that is what is stored')
})

for (const name of ['dovecot.index.log', 'cur/1']) {
  t.test(`the kernel forgets the pages of a write that was placed elsewhere, ${name}`, async t => {
    const mount = await mountRoost(t, { mountArgs: ['--mode', 'shared'] })
    const file = join(mount.mountpoint, 'user', name)
    await shellOk('mkdir -p "$1/user/cur"', mount.mountpoint)
    const seen = await seenBy(file, AT_THE_END)
    t.strictSame(seen, { before: CONTENT, after: AT_THE_END, size: AT_THE_END.length })
    t.equal(await shellOk('cat "$1"', file), AT_THE_END, 'another process sees the same')
    t.equal(mount.errors(), '', 'the kernel has taken the notification')
    t.equal(await mount.stop(), 0)
    await mount.restart()
    t.equal(await shellOk('cat "$1"', file), AT_THE_END, 'and that is what is stored')
  })
}
