/** What a store holds comes out as plain files: the same as in the mount, at rest and beside it. */

import { createHash } from 'node:crypto'
import { spawn } from 'node:child_process'
import { readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { mountRoost, PLAINLY, ROOST, runRoost, type RoostMount } from '../support/roost-mount.ts'
import { treeListing } from '../support/tree-listing.ts'
import { command, placeFor, shell, shellOk } from './place.ts'
import { onTerminal } from './terminal.ts'

const EX_DATAERR = 65
const EX_NOINPUT = 66
const EX_CANTCREAT = 73
const EX_IOERR = 74
const EX_TEMPFAIL = 75
const NOBODY = '65534'

const WRITER = fileURLToPath(new URL('disk-writer.mjs', import.meta.url))

/** Every kind of file that a store can hold. */
const EVERYTHING = `
cd "$1"
mkdir -p anna/Maildir/cur anna/Maildir/new bert/empty
echo 'a small message' >anna/Maildir/new/1
ln anna/Maildir/new/1 anna/Maildir/cur/1:2,S
head -c 3000000 /dev/urandom >anna/Maildir/cur/2
echo '3 V1 N3' >anna/Maildir/dovecot-uidlist
head -c 100000 /dev/urandom >anna/notes
ln -s ../anna bert/link
mkfifo bert/fifo
truncate -s 50M bert/sparse && printf x | dd of=bert/sparse bs=1 seek=20000000 conv=notrunc
truncate -s 20M bert/sparse.lock && printf x | dd of=bert/sparse.lock bs=1 seek=9000000 conv=notrunc
printf name >"$(printf 'bert/caf\\351')"
printf set-gid >bert/program
chown 1000:1001 anna anna/notes bert/program && chown -h 7:8 bert/link
chmod 2755 bert/program && chmod 1770 bert/empty && chmod 400 anna/notes
touch -d '1969-12-31 23:59:58.123456789Z' bert/empty
touch -h -d '2001-02-03 04:05:06.987654321Z' bert/link
touch -d '2031-02-03 04:05:06.000000001Z' anna/notes .
sync anna bert anna/Maildir/cur/2 anna/notes bert/sparse
`

async function mountWithEverything(t: Test): Promise<RoostMount> {
  const mount = await mountRoost(t)
  await shellOk(EVERYTHING, mount.mountpoint)
  return mount
}

t.test('an export is the tree of the mount, beside the daemon and at rest', async t => {
  const mount = await mountWithEverything(t)
  const { dataDir, mountpoint } = mount
  const expected = await treeListing(mountpoint)
  t.ok(expected.length > 20, 'there is something to compare')
  const [live, rest] = [join(dataDir, '../live'), join(dataDir, '../parents/are/made')]
  const counted = /^roost: 10 files, 6 directories, 1 more links, \d+ MiB are in \S+\n$/
  t.match(await runRoost('export', '--data', dataDir, live), {
    code: 0,
    stdout: counted,
    stderr: /^$/
  })
  t.same(await treeListing(live), expected)
  t.equal((await mount.status()).state, 'serving')
  t.equal(await mount.stop(), 0)
  t.match(await runRoost('export', '--data', dataDir, rest), {
    code: 0,
    stdout: counted,
    stderr: /^$/
  })
  t.same(await treeListing(rest), expected)
  for (const name of ['bert/sparse', 'bert/sparse.lock']) {
    t.ok((await stat(join(rest, name))).blocks < 100, `${name} has holes`)
  }
  const part = join(dataDir, '../part')
  t.match(await runRoost('export', '--data', dataDir, part, '--only', '/anna/Maildir'), { code: 0 })
  t.same(await treeListing(part), await treeListing(join(rest, 'anna/Maildir')))
  await rm(part, { recursive: true })
  t.match(await runRoost('export', '--data', dataDir, part, '--only', 'bert/link'), { code: 0 })
  t.same(await readdir(part), ['link'])
})

t.test('the end of the log, which the store has not applied, is exported as well', async t => {
  const mount = await mountWithEverything(t)
  const expected = await treeListing(mount.mountpoint)
  const last = 'echo last >"$1/bert/last" && sync "$1/bert/last" && kill -9 "$2"'
  await shell(last, mount.mountpoint, String(mount.pid))
  await mount.kill()
  const dest = join(mount.dataDir, '../dest')
  t.match(await runRoost('export', '--data', mount.dataDir, dest), { code: 0, stderr: /^$/ })
  t.equal(await readFile(join(dest, 'bert/last'), 'utf8'), 'last\n')
  const found = await treeListing(dest)
  t.same(
    expected.filter(line => !found.includes(line) && !/ bert$/.test(line)),
    []
  )
})

t.test(
  'an export beside deliveries has all that was synced before, and nothing in part',
  async t => {
    const mount = await mountRoost(t)
    const box = join(mount.mountpoint, 'anna')
    await shellOk('mkdir "$1"', box)
    // As fast as it can, it would outgrow what an export that yields to it can follow.
    const [program, ...args] = [...PLAINLY, process.execPath, WRITER, 'go-on', box, '0', '20']
    const writer = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    let said = ''
    writer.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const synced = (): string[] =>
      Array.from(said.matchAll(/ok (\d+)\n/g), ([, number]) => number ?? '')
    const ended = new Promise(resolve => writer.once('exit', resolve))
    t.teardown(() => writer.kill('SIGKILL'))
    for (const name of ['first', 'second', 'third']) {
      await new Promise(resolve => writer.stdout.once('data', resolve))
      const before = synced()
      const dest = join(mount.dataDir, '..', name)
      const seen = await runRoost('export', '--data', mount.dataDir, dest)
      t.match(seen, { code: 0, stderr: /^$/ })
      const there = (await readdir(join(dest, 'anna'))).filter(file => file.startsWith('f.'))
      const numbers = there.map(file => file.slice(2))
      t.same(
        before.filter(number => !numbers.includes(number)),
        [],
        `of ${String(before.length)}`
      )
      const list = join(dest, 'numbers')
      await writeFile(list, numbers.join(' '))
      const check = '"$1" "$2" check "$3" <"$4"'
      t.equal(await shellOk(check, process.execPath, WRITER, join(dest, 'anna'), list), '', 'whole')
      const checked = await runRoost('fsck', '--data', mount.dataDir)
      t.match(
        checked,
        { code: 0, stdout: /: all is well\n$/, stderr: /^$/ },
        'and a check finds nothing'
      )
    }
    writer.stdin.end()
    await ended
    t.ok(synced().length > 0)
  }
)

t.test('a damaged body is named, set aside, and the rest goes on', async t => {
  const mount = await mountRoost(t)
  const { dataDir, mountpoint } = mount
  const [small, half] = [Buffer.from('a small message\n'), Buffer.alloc(1024 * 1024, 'half\n')]
  const both = Buffer.concat([half, Buffer.alloc(1024 * 1024, 'other half\n')])
  await writeFile(join(dataDir, '../both'), both)
  await shellOk(
    'mkdir -p "$1/u/cur" && cp "$2/both" "$1/u/cur" && ' +
      'echo "a small message" >"$1/u/cur/small" && ' +
      'echo good >"$1/u/cur/good" && echo text >"$1/u/uidlist.lock"',
    mountpoint,
    join(dataDir, '..')
  )
  t.equal(await mount.stop(), 0)
  for (const bytes of [small, half]) {
    const hash = createHash('sha256').update(bytes).digest('hex')
    await shellOk(
      'printf X | dd of="$1" bs=1 seek=3 conv=notrunc',
      join(dataDir, 'blobs', hash.slice(0, 2), hash)
    )
  }
  const container = await shellOk('find "$1/containers" -type f -size 5c', dataDir)
  await rm(container.trim())
  const dest = join(dataDir, '../dest')
  const seen = await runRoost('export', '--data', dataDir, dest)
  t.match(seen, { code: EX_DATAERR, stdout: /; 3 failures are named above\n$/ })
  t.match(
    seen.stderr,
    /^roost: \/u\/cur\/both: 1048576 bytes at 0 are lost: blob \w+ has another hash$/m
  )
  t.match(
    seen.stderr,
    /^roost: \/u\/cur\/small: 16 bytes at 0 are lost: blob \w+ has another hash$/m
  )
  t.match(seen.stderr, /^roost: \/u\/uidlist\.lock: of 5 bytes 5 are lost with its container$/m)
  t.same((await readdir(join(dest, 'u/cur'))).sort(), ['both.damaged', 'good'])
  t.same(await readdir(join(dest, 'u')), ['cur'])
  const left = await readFile(join(dest, 'u/cur/both.damaged'))
  t.ok(left.subarray(half.length).equals(both.subarray(half.length)), 'what is good is there')
  t.ok(left.subarray(0, half.length).equals(Buffer.alloc(half.length)), 'what is lost is zeros')
})

t.test('what an export cannot be written to, or from, is refused in words', async t => {
  const mount = await mountRoost(t)
  const { dataDir } = mount
  await shellOk('mkdir "$1/u" && echo text >"$1/u/file" && sync "$1/u"', mount.mountpoint)
  const full = join(dataDir, '../full')
  await shellOk('mkdir "$1" && touch "$1/file"', full)
  const lines: [string[], number, string][] = [
    [[full], EX_CANTCREAT, `${full} cannot be used: it is not empty`],
    [[join(full, 'file')], EX_CANTCREAT, `${join(full, 'file')} cannot be used: ENOTDIR`],
    [
      [join(dataDir, 'inside')],
      EX_CANTCREAT,
      `${join(dataDir, 'inside')} cannot be used: it is in`
    ],
    [[join(full, 'new'), '--only', '/nobody/x'], EX_NOINPUT, 'the store has no /nobody/x\n']
  ]
  for (const [args, code, sentence] of lines) {
    const seen = await runRoost('export', '--data', dataDir, ...args)
    t.match(seen, { code, stdout: /^$/, stderr: `roost: ${sentence}` })
  }
  t.same(await readdir(full), ['file'], 'nothing was made')
  const missing = await runRoost('export', '--data', join(full, 'none'), join(full, 'new'))
  t.match(missing, { code: EX_NOINPUT, stderr: 'it is not there; "roost init" makes one\n' })
})

t.test('a store that was never mounted has nothing to export, and is whole', async t => {
  const { dataDir, directory } = await placeFor(t)
  await runRoost('init', '--data', dataDir)
  const seen = await runRoost('export', '--data', dataDir, join(directory, 'dest'))
  const stderr = 'roost: the store is empty: it was never mounted\n'
  t.match(seen, { code: EX_NOINPUT, stdout: /^$/, stderr })
  t.match(await runRoost('fsck', '--data', dataDir), { code: 0, stdout: /: all is well\n$/ })
})

t.test('an export that was interrupted says so, then and later', async t => {
  const mount = await mountRoost(t)
  const { dataDir } = mount
  const fill = 'mkdir "$1/u" && echo first >"$1/u/a" && head -c 300M /dev/urandom >"$1/u/b"'
  await shellOk(`${fill} && sync "$1/u/b"`, mount.mountpoint)
  t.equal(await mount.stop(), 0)
  const dest = join(dataDir, '../dest')
  const words = [process.execPath, ROOST, 'export', '--data', dataDir, dest]
  const seen = await onTerminal(words, /1 files/)
  t.equal(seen.code, EX_TEMPFAIL)
  t.match(seen.output, `roost: interrupted; ${dest} is not complete`)
  const again = await runRoost('export', '--data', dataDir, dest)
  const stderr = `roost: ${dest} cannot be used: it has an export that was interrupted\n`
  t.match(again, { code: EX_CANTCREAT, stdout: /^$/, stderr })
})

t.test('a full disk ends an export, and is named', async t => {
  const mount = await mountRoost(t)
  await shellOk('head -c 20M /dev/urandom >"$1/a" && sync "$1/a"', mount.mountpoint)
  const dest = join(mount.dataDir, '../dest')
  await shellOk('mkdir "$1" && mount -t tmpfs -o size=4M none "$1"', dest)
  const seen = await runRoost('export', '--data', mount.dataDir, dest)
  await shellOk('umount "$1"', dest)
  t.match(seen, { code: EX_IOERR, stdout: /^$/ })
  const why = `roost: ${dest} cannot be written: no space left on device`
  t.match(seen.stderr, `roost: ${dest} is not complete\n${why}`)
})

t.test('who is not root exports what is theirs, without owners', async t => {
  const mount = await mountRoost(t)
  await shellOk('mkdir "$1/u" && echo text >"$1/u/file" && chown -R 5:5 "$1/u"', mount.mountpoint)
  t.equal(await mount.stop(), 0)
  const home = join(mount.dataDir, '../home')
  await shellOk('mkdir "$2" && chown -R "$3:$3" "$1" "$2"', mount.dataDir, home, NOBODY)
  const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
  const words = [process.execPath, ROOST, 'export', '--data', mount.dataDir, join(home, 'dest')]
  const seen = await command([...user, ...words])
  t.match(seen, { code: 0, stdout: 'roost: owners were not kept: only root can\n', stderr: /^$/ })
  t.equal(await shellOk('stat -c %u "$1"', join(home, 'dest/u/file')), `${NOBODY}\n`)
})
