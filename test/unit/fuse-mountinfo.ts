import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { decodeMountinfo, mountAt, resolveMountpoint } from '../../lib/io/mountinfo.ts'

const TEXT = [
  '22 27 0:21 / /proc rw,relatime - proc proc rw',
  '36 35 98:300 /mnt1 /mnt/a\\040b\\134c rw,noatime master:1 shared:7 - ext3 /dev/root rw,err=x',
  '67 27 0:42 / /srv/caf\xc3\xa9 rw,nosuid - fuse.tiny roost:/var/a\\054b rw,user_id=0',
  'nonsense',
  ''
].join('\n')

t.test('lines of mountinfo are decoded, whatever stands among their optional fields', t => {
  t.same(decodeMountinfo(TEXT), [
    { mountpoint: '/proc', type: 'proc', source: 'proc', deviceMajor: 0, deviceMinor: 21 },
    {
      mountpoint: '/mnt/a b\\c',
      type: 'ext3',
      source: '/dev/root',
      deviceMajor: 98,
      deviceMinor: 300
    },
    {
      mountpoint: '/srv/café',
      type: 'fuse.tiny',
      source: 'roost:/var/a,b',
      deviceMajor: 0,
      deviceMinor: 42
    }
  ])
  t.end()
})

t.test('what is mounted is found by its place, and other places have nothing', t => {
  t.match(mountAt('/proc'), { type: 'proc' })
  t.equal(mountAt('/proc/self'), undefined)
  t.end()
})

t.test('the place of a mount point is free of links, above it and at its end', t => {
  const place = realpathSync(mkdtempSync(join(tmpdir(), 'roost-mountinfo-')))
  t.teardown(() => rmSync(place, { recursive: true }))
  mkdirSync(join(place, 'real/mnt'), { recursive: true })
  symlinkSync('real', join(place, 'above'))
  symlinkSync('above/mnt', join(place, 'end'))
  symlinkSync('loop', join(place, 'loop'))
  symlinkSync('/proc', join(place, 'proc'))
  t.equal(resolveMountpoint(join(place, 'above/mnt/')), join(place, 'real/mnt'))
  t.equal(resolveMountpoint(join(place, 'end')), join(place, 'real/mnt'))
  t.equal(resolveMountpoint(join(place, 'missing')), join(place, 'missing'))
  t.equal(resolveMountpoint(join(place, 'proc')), '/proc')
  t.equal(resolveMountpoint('/'), '/')
  t.throws(() => resolveMountpoint(join(place, 'loop')), { code: 'ELOOP' })
  t.throws(() => resolveMountpoint(join(place, 'missing/below')), { code: 'ENOENT' })
  t.end()
})
