/** The verb fsck: its exit codes, its words, and its manners beside a daemon. */

import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import t, { type Test } from 'tap'
import type { FsckReport } from '../../lib/fsck/fsck.ts'
import { mountRoost, ROOST, runRoost, type RoostMount } from '../support/roost-mount.ts'
import { placeFor, shell, shellOk } from './place.ts'
import { onTerminal } from './terminal.ts'

const FSCK_CORRECTED = 1
const FSCK_UNCORRECTED = 4
const FSCK_ERROR = 8
const FSCK_USAGE = 16
const FSCK_CANCELLED = 32

const WELL =
  /^\S+: \d+ entries .*, 2 volumes, \d+ inodes, \d+ names, 2 bodies \(1 MiB\): all is well\n$/

async function mountWithMail(t: Test): Promise<RoostMount> {
  const mount = await mountRoost(t)
  const fill =
    'mkdir -p "$1/anna/cur" && echo one >"$1/anna/cur/1" && echo two >"$1/anna/cur/2" && ' +
    'echo text >"$1/anna/dovecot-uidlist" && sync "$1/anna/cur/1" "$1/anna/cur/2"'
  await shellOk(fill, mount.mountpoint)
  return mount
}

async function blobsIn(dataDir: string): Promise<string[]> {
  const found = await readdir(join(dataDir, 'blobs'), { recursive: true, withFileTypes: true })
  return found.filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}

t.test('a store that is whole, served and at rest', async t => {
  const mount = await mountWithMail(t)
  const served = await runRoost('fsck', '--data', mount.dataDir)
  t.match(served, { code: 0, stdout: WELL, stderr: /^$/ })
  t.equal((await mount.status()).state, 'serving', 'the daemon goes on')
  await mount.kill()
  t.match(await runRoost('fsck', '--data', mount.dataDir), { code: 0, stdout: WELL, stderr: /^$/ })
  const repair = await runRoost('fsck', '--data', mount.dataDir, '--repair')
  t.match(repair, { code: 0, stdout: WELL }, 'with nothing to repair')
  await mount.restart()
  t.equal(await shellOk('cat "$1/anna/cur/1"', mount.mountpoint), 'one\n')
})

t.test('damage is named with its path, by a daemon as well as at rest', async t => {
  const mount = await mountWithMail(t)
  const { dataDir } = mount
  t.match(await runRoost('fsck', '--data', dataDir), { code: 0 })
  const blobs = await blobsIn(dataDir)
  for (const file of blobs) {
    if ((await readFile(file, 'utf8')) === 'one\n') await writeFile(file, 'two\n')
    else await rm(file)
  }
  await writeFile(join(dataDir, 'containers/00/letter'), 'mine')
  const text = new RegExp(
    '^file-unknown +containers/00/letter is not the container of an inode\n' +
      '(?:body-(?:damaged|missing) +blob \\w+ ' +
      '(?:has another hash|is missing)\n +/anna/cur/\\d\n){2}' +
      '\\S+: .*: 3 problems left\n$'
  )
  const served = await runRoost('fsck', '--data', dataDir)
  t.match(served, { code: FSCK_UNCORRECTED, stdout: text, stderr: /^$/ })
  const { stdout } = await runRoost('fsck', '--data', dataDir, '--json')
  const report = JSON.parse(stdout) as FsckReport & { dataDirectory: string }
  t.equal(report.dataDirectory, dataDir)
  t.match(
    report.problems.find(({ kind }) => kind === 'body-damaged'),
    {
      paths: ['/anna/cur/1'],
      repaired: false
    }
  )
  t.equal(await mount.stop(), 0)
  t.match(await runRoost('fsck', '--data', dataDir), { code: FSCK_UNCORRECTED, stdout: text })
})

t.test('what can be repaired is, and the store can be mounted', async t => {
  const mount = await mountWithMail(t)
  const { dataDir } = mount
  t.equal(await mount.stop(), 0)
  const stray = join(dataDir, 'blobs/ab', 'ab'.repeat(32))
  await writeFile(stray, 'stray')
  const found = await runRoost('fsck', '--data', dataDir)
  t.match(found, { code: FSCK_UNCORRECTED, stdout: /^file-unnamed +nothing names blobs\/ab\/abab/ })
  const repaired = await runRoost('fsck', '--data', dataDir, '--repair')
  t.match(repaired, { code: FSCK_CORRECTED, stdout: /\(repaired\)\n.*: 1 repaired\n$/ })
  t.match(await runRoost('fsck', '--data', dataDir), { code: 0 })
  await writeFile(stray, 'stray')
  for (const file of await blobsIn(dataDir)) {
    if ((await readFile(file, 'utf8')) === 'two\n') await rm(file)
  }
  const partly = await runRoost('fsck', '--data', dataDir, '--repair')
  const code = FSCK_CORRECTED + FSCK_UNCORRECTED
  t.match(partly, { code, stdout: /: 1 repaired, 1 problem left\n$/ })
  await mount.restart()
  t.equal(await shellOk('cat "$1/anna/cur/1"', mount.mountpoint), 'one\n')
  t.match(await shell('cat "$1/anna/cur/2"', mount.mountpoint), { code: 1 }, 'never made up')
})

t.test('what fsck cannot do is refused in words, with the codes of fsck(8)', async t => {
  const mount = await mountWithMail(t)
  const { dataDir } = mount
  const served = `roost: ${dataDir} is served by process ${String(mount.pid)}; `
  const busy = await runRoost('fsck', '--data', dataDir, '--repair')
  const stderr = `${served}what is to be repaired must be unmounted first\n`
  t.match(busy, { code: FSCK_ERROR, stdout: /^$/, stderr })
  const { directory } = await placeFor(t)
  const missing = await runRoost('fsck', '--data', join(directory, 'none'))
  t.match(missing, {
    code: FSCK_ERROR,
    stdout: /^$/,
    stderr: 'it is not there; "roost init" makes'
  })
  const required = 'error: no data directory; --data, ROOST_DATA or a configuration says which'
  t.match(await runRoost('fsck'), { code: FSCK_USAGE, stdout: /^$/, stderr: required })
  const unknown = await runRoost('fsck', '--data', dataDir, '--fix')
  t.match(unknown, { code: FSCK_USAGE, stdout: /^$/, stderr: "error: unknown option '--fix'" })
  t.match(await runRoost('fsck', '--help'), { code: 0, stdout: 'Usage: roost fsck' })
})

t.test('a directory that somebody holds who does not answer is not checked', async t => {
  const mount = await mountWithMail(t)
  t.equal(await mount.stop(), 0)
  const holder = spawn('flock', [join(mount.dataDir, 'lock'), 'sh', '-c', 'echo held; cat'])
  t.teardown(() => holder.stdin.end())
  await new Promise(resolve => holder.stdout.once('data', resolve))
  const seen = await runRoost('fsck', '--data', mount.dataDir)
  const socket = join(mount.dataDir, 'control.sock')
  t.match(seen, { code: FSCK_ERROR, stdout: /^$/, stderr: `roost: ${socket}: connect ENOENT` })
})

t.test('a check shows how far it is, can be cancelled, and hurts nobody', async t => {
  const mount = await mountWithMail(t)
  const { dataDir } = mount
  await shellOk('head -c 200M /dev/urandom >"$1/large" && sync "$1/large"', mount.mountpoint)
  const words = [process.execPath, ROOST, 'fsck', '--data', dataDir]
  const { code, output } = await onTerminal(words, /bodies: \d+ of \d+/)
  t.equal(code, FSCK_CANCELLED)
  t.match(output, 'log: 0')
  t.match(output, 'roost: interrupted')
  t.notMatch(output, 'all is well')
  t.equal((await mount.status()).state, 'serving')
  await shellOk('rm "$1/large" && echo more >"$1/anna/cur/3"', mount.mountpoint)
  t.equal(await mount.stop(), 0)
  t.match(await runRoost('fsck', '--data', dataDir), { code: 0 })
})
