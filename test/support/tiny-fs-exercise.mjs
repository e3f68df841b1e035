/**
 * Uses a mounted TinyFs in every way that sends a request of its own, and prints what it saw as
 * JSON. Plain JavaScript, run as a process of its own.
 */

import fs from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { flock, getLock, setLock, setTimes, waitForLock } from './posix-syscalls.mjs'

const root = process.argv[2]
const at = name => join(root, name)
const seen = {}

fs.mkdirSync(at('dir'), 0o700)
fs.writeFileSync(at('dir/file'), 'hello')
fs.appendFileSync(at('dir/file'), ' world')
seen.content = fs.readFileSync(at('dir/file'), 'latin1')
fs.linkSync(at('dir/file'), at('linked'))
seen.nlink = fs.statSync(at('linked')).nlink
fs.symlinkSync('dir/file', at('symlink'))
seen.target = fs.readlinkSync(at('symlink'))
fs.renameSync(at('dir/file'), at('renamed'))
execFileSync('mv', ['--no-clobber', at('renamed'), at('moved')])
const latin1 = Buffer.concat([Buffer.from(`${root}/`), Buffer.from('caf\xe9', 'latin1')])
fs.writeFileSync(latin1, '')
seen.names = fs.readdirSync(root, { encoding: 'latin1' }).sort()
seen.types = fs.readdirSync(root, { withFileTypes: true }).filter(d => d.isSymbolicLink()).length

const fd = fs.openSync(at('moved'), 'r+')
fs.writeSync(fd, Buffer.alloc(300_000, 'x'), 0, 300_000, 5)
fs.ftruncateSync(fd, 200_000)
fs.fsyncSync(fd)
fs.fdatasyncSync(fd)
fs.fchmodSync(fd, 0o640)
const stat = fs.fstatSync(fd)
seen.stat = { size: stat.size, mode: stat.mode.toString(8) }
setTimes(at('moved'), [-2, 999_999_999], [-2, 999_999_999])
seen.mtime = String(fs.statSync(at('moved'), { bigint: true }).mtimeNs)
setTimes(at('moved'), [2 ** 33, 1], [2 ** 33, 1])
seen.mtimeLater = String(fs.statSync(at('moved'), { bigint: true }).mtimeNs)
setLock(fd, 'write', 0, 10)
setLock(fd, 'none', 0, 10)
waitForLock(fd, 'read', 5, 0)
seen.lock = getLock(fd, 'write', 0, 0).type
flock(fd, 'exclusive', false)
flock(fd, 'none', true)
fs.closeSync(fd)

const statfs = fs.statfsSync(root)
seen.statfs = { blocks: statfs.blocks, bfree: statfs.bfree, bavail: statfs.bavail }
execFileSync('fallocate', ['-l', '250000', at('moved')])
execFileSync('cp', ['--sparse=never', '--reflink=never', at('moved'), at('copied')])
seen.copied = fs.readFileSync(at('copied')).length
execFileSync('mknod', [at('pipe'), 'p'])
execFileSync('sync', ['-f', root])
const directory = fs.openSync(at('dir'), 'r')
fs.fsyncSync(directory)
fs.closeSync(directory)
for (const name of ['copied', 'linked', 'symlink', 'pipe', 'moved']) fs.unlinkSync(at(name))
fs.rmdirSync(at('dir'))
seen.left = fs.readdirSync(root, { encoding: 'latin1' })
try {
  fs.statSync(at('nothing'))
} catch (error) {
  seen.missing = error.code
}
process.stdout.write(JSON.stringify(seen))
