import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { renderFsck } from '../../lib/cli/render-fsck.ts'
import type { FsckReport } from '../../lib/fsck/fsck.ts'
import type { ProblemKind } from '../../lib/fsck/problem.ts'
import { inoOf, rootInoOf, type Ino, type VolumeId } from '../../lib/ids.ts'
import * as keys from '../../lib/store/keys.ts'
import * as records from '../../lib/store/records.ts'
import { S_IFDIR, S_IFREG } from '../../lib/tree/inode.ts'
import { present } from '../../lib/util/assert.ts'
import { sha256Hex } from '../../lib/util/hash.ts'
import type { BlobId } from '../../lib/ids.ts'
import { FsckStore, LARGE, SMALL, type StoreEdit } from '../support/fsck-store.ts'
import { untrimSegments } from '../support/golden.ts'

const GOLDEN = join(import.meta.dirname, '../fixtures/data')
const ANNA = 1 as VolumeId
const SMALL_BLOB = sha256Hex(SMALL) as BlobId
const SEGMENT = 'feeds/0000000001/00000000.seg'

interface Damage {
  readonly title: string
  readonly end?: 'killed'
  readonly inject: (store: FsckStore) => Promise<void> | void
  /** Kinds that the first check finds, whatever else follows from them. */
  readonly finds: readonly ProblemKind[]
  /** What the report has to name. */
  readonly names: RegExp
  /** Kinds that a repair leaves. */
  readonly leaves?: readonly ProblemKind[]
}

function edited(task: (edit: StoreEdit) => void): (store: FsckStore) => Promise<void> {
  return store => store.edit(task)
}

function changeVolume(edit: StoreEdit, volume: VolumeId, change: object): void {
  const key = keys.volumeKey(volume)
  const record = records.decodeVolume(present(edit.store.get(key), 'volume'))
  edit.put(key, records.encodeVolume({ ...record, ...change }))
}

const OF_LOG: readonly Damage[] = [
  {
    title: 'a flipped bit in the log, where the store needs it',
    end: 'killed',
    inject: store => {
      const file = store.path(SEGMENT)
      store.flip(file, fs.readFileSync(file).indexOf('in the store'))
    },
    finds: ['log-damaged'],
    names: /feeds\/0000000001\/00000000\.seg at byte \d+: wrong checksum/,
    leaves: ['log-damaged']
  },
  {
    title: 'a flipped bit in the log before the checkpoint',
    inject: store => {
      store.flip(store.path(SEGMENT), 300)
    },
    finds: ['log-superseded'],
    names: /00000000\.seg at byte \d+: wrong checksum; the store has it all/
  },
  {
    title: 'a store that stands elsewhere than its log',
    end: 'killed',
    inject: edited(edit => {
      changeVolume(edit, 2 as VolumeId, { hash: Buffer.alloc(32, 7) })
    }),
    finds: ['log-order'],
    names: /volume 2 stands at entry 7 in the store, and at another entry 7 in the log/,
    leaves: ['log-order']
  },
  {
    title: 'a log that is missing',
    end: 'killed',
    inject: store => {
      fs.rmSync(store.path('feeds'), { recursive: true })
    },
    finds: ['mark-beyond-log'],
    names: /applied feed 1 to \d+, and there is no such feed/,
    leaves: ['mark-beyond-log']
  }
]

const OF_RECORDS: readonly Damage[] = [
  {
    title: 'attributes that do not decode',
    inject: edited(edit => {
      edit.put(keys.inodeKey(edit.at('anna/cur/small').ino), Buffer.from('short'))
    }),
    finds: ['record-damaged'],
    names: /the attributes of inode \d+ cannot be decoded\n +\/anna\/cur\/linked\n/,
    leaves: ['record-damaged']
  },
  {
    title: 'a name that does not decode',
    inject: edited(edit => {
      const { parent, name } = edit.at('anna/cur/large')
      edit.put(keys.direntKey(parent, name), Buffer.from('short'))
    }),
    finds: ['record-damaged', 'listing-only'],
    names: /name "large" in inode \d+ cannot be decoded\n +\/anna\/cur\n/
  },
  {
    title: 'a place in a listing that does not decode',
    inject: edited(edit => {
      const { parent, dirent } = edit.at('anna/cur/large')
      edit.put(keys.listingKey(parent, dirent.cookie), Buffer.from('short'))
    }),
    finds: ['record-damaged', 'listing-lacks'],
    names: /place \d+ in the listing of inode \d+ cannot be decoded/
  },
  {
    title: 'extents that do not decode',
    inject: edited(edit => {
      edit.put(keys.extentsKey(edit.at('bert/cur/other').ino, 0), Buffer.alloc(47))
    }),
    finds: ['record-damaged', 'body-count'],
    names: /window 0 of the extents of inode \d+ cannot be decoded\n +\/bert\/cur\/other\n/,
    leaves: ['record-damaged']
  },
  {
    title: 'a volume record that does not decode',
    inject: edited(edit => {
      edit.put(keys.volumeKey(ANNA), Buffer.from('short'))
    }),
    finds: ['record-damaged'],
    names: /the record of volume 1 cannot be decoded/,
    leaves: ['record-damaged']
  },
  {
    title: 'a key that nobody knows',
    inject: edited(edit => {
      edit.put('question', Buffer.from('?'))
    }),
    finds: ['record-unknown'],
    names: /store key "question"/,
    leaves: ['record-unknown']
  },
  {
    title: 'a volume without a record',
    inject: edited(edit => {
      edit.put(keys.volumeKey(ANNA), undefined)
    }),
    finds: ['volume-missing'],
    names: /volume 1 has inodes or names, and no record/,
    leaves: ['volume-missing']
  },
  {
    title: 'a volume that is closed and has inodes',
    inject: edited(edit => {
      changeVolume(edit, ANNA, { closed: true })
    }),
    finds: ['volume-closed'],
    names: /volume 1 is closed, with inode \d+/,
    leaves: ['volume-closed']
  },
  {
    title: 'a volume that would give numbers out again',
    inject: edited(edit => {
      changeVolume(edit, ANNA, { nextCounter: 2 })
    }),
    finds: ['volume-counter'],
    names: /volume 1 would give inode \d+ out again/
  },
  {
    title: 'a store that would make volumes again',
    inject: edited(edit => {
      changeVolume(edit, 0 as VolumeId, { nextVolume: 1 })
    }),
    finds: ['volume-counter'],
    names: /volume 2 would be made again/
  }
]

const OF_NAMES: readonly Damage[] = [
  {
    title: 'a name of a file that does not exist',
    inject: edited(edit => {
      edit.put(keys.inodeKey(edit.at('anna/cur/large').ino), undefined)
    }),
    finds: ['name-dangling', 'extents-of-nothing'],
    names: /"large" in inode \d+ names inode \d+, which does not exist\n +\/anna\/cur\n/
  },
  {
    title: 'a name of a volume that does not exist',
    inject: edited(edit => {
      const dirent = { ino: rootInoOf(77 as VolumeId), type: S_IFDIR, cookie: 3 as never }
      edit.putName(1 as Ino, 'nobody', dirent)
    }),
    finds: ['name-dangling'],
    names: /"nobody" in inode 1 names volume 77, which does not exist/
  },
  {
    title: 'a name with the wrong type',
    inject: edited(edit => {
      const { parent, name, dirent } = edit.at('anna/cur/large')
      edit.putName(parent, name, { ...dirent, type: S_IFDIR })
    }),
    finds: ['name-type'],
    names: /"large" in inode \d+ names inode \d+ with another type\n +\/anna\/cur\/large\n/
  },
  {
    title: 'a name that is not listed',
    inject: edited(edit => {
      const { parent, dirent } = edit.at('anna/cur/large')
      edit.put(keys.listingKey(parent, dirent.cookie), undefined)
    }),
    finds: ['listing-lacks'],
    names: /"large" in inode \d+ is not listed/
  },
  {
    title: 'a listed name that is not found',
    inject: edited(edit => {
      const { parent, name } = edit.at('anna/cur/large')
      edit.put(keys.direntKey(parent, name), undefined)
    }),
    finds: ['listing-only'],
    names: /"large" in inode \d+ is listed, and not found by name/
  },
  {
    title: 'a name that is listed twice',
    inject: edited(edit => {
      const { parent, name, dirent } = edit.at('anna/cur/large')
      const listed = records.encodeListed(name, { ...dirent, cookie: 3 as never })
      edit.put(keys.listingKey(parent, 3 as never), listed)
    }),
    finds: ['listing-only'],
    names: /"large" in inode \d+ is listed twice/
  },
  {
    title: 'two names at one place of a listing',
    inject: edited(edit => {
      const [large, small] = [edit.at('anna/cur/large'), edit.at('anna/cur/small')]
      const { cookie } = small.dirent
      edit.removeName('anna/cur/large')
      edit.putName(large.parent, large.name, { ...large.dirent, cookie })
    }),
    finds: ['name-cookie'],
    names: /has place \d+ in the listing, which is not its own/
  },
  {
    title: 'names in a directory that does not exist',
    inject: edited(edit => {
      edit.put(keys.inodeKey(edit.at('anna/deep/deeper').ino), undefined)
    }),
    finds: ['name-in-nothing', 'name-dangling', 'unnamed'],
    names: /"some\.lock" is in inode \d+, which is no directory/
  },
  {
    title: 'a name of a file in another volume',
    inject: edited(edit => {
      const { ino } = edit.at('anna/cur/large')
      const { parent } = edit.at('bert/cur')
      edit.putName(parent, 'stolen', { ino, type: S_IFREG, cookie: 3 as never })
    }),
    finds: ['name-foreign'],
    names: /"stolen" in inode \d+ names inode \d+ of another volume\n +\/bert\n/
  },
  {
    title: 'a wrong count of links',
    inject: edited(edit => {
      edit.change('anna/cur/small', { nlink: 7 })
    }),
    finds: ['link-count'],
    names: /inode \d+ counts 7 links and has 2\n +\/anna\/cur\/linked\n +\/anna\/cur\/small\n/
  },
  {
    title: 'a wrong count of directories',
    inject: edited(edit => {
      edit.change('anna/deep', { nlink: 2 })
    }),
    finds: ['link-count'],
    names: /inode \d+ counts 2 links and has 3\n +\/anna\/deep\n/
  },
  {
    title: 'a file that no directory names',
    inject: edited(edit => {
      edit.removeName('anna/cur/large')
    }),
    finds: ['unnamed'],
    names: /inode \d+ exists, and no directory names it/
  },
  {
    title: 'a directory that takes itself to be elsewhere',
    inject: edited(edit => {
      edit.change('anna/deep', { name: 'shallow' })
    }),
    finds: ['directory-place'],
    names: /directory \d+ is taken to be "shallow" in inode \d+/
  },
  {
    title: 'a directory with two names',
    inject: edited(edit => {
      const { dirent } = edit.at('anna/deep/deeper')
      edit.putName(edit.at('anna/cur').ino, 'again', { ...dirent, cookie: 3 as never })
    }),
    finds: ['directory-twice'],
    names: /directory \d+ is also "again" in inode \d+/
  },
  {
    title: 'directories that lie in one another',
    inject: edited(edit => {
      const [deep, deeper] = [edit.at('anna/deep'), edit.at('anna/deep/deeper')]
      edit.removeName('anna/deep')
      edit.putName(deeper.ino, 'deep', { ...deep.dirent, cookie: 3 as never })
      edit.change('anna/deep', { parent: deeper.ino })
    }),
    finds: ['directory-loop'],
    names: /directory \d+ lies in itself/
  },
  {
    title: 'an orphan that does not exist',
    inject: edited(edit => {
      edit.put(keys.orphanKey(inoOf(ANNA, 999)), Buffer.alloc(0))
    }),
    finds: ['orphan-missing'],
    names: /orphan \d+ does not exist/
  },
  {
    title: 'an orphan with a name',
    inject: edited(edit => {
      edit.put(keys.orphanKey(edit.at('anna/cur/small').ino), Buffer.alloc(0))
    }),
    finds: ['orphan-named'],
    names: /orphan \d+ has a name after all\n +\/anna\/cur\/linked\n/
  },
  {
    title: 'a volume whose root directory is missing',
    inject: edited(edit => {
      edit.put(keys.inodeKey(rootInoOf(ANNA)), undefined)
    }),
    finds: ['root-missing'],
    names: /the root directory of volume 1 is missing\n +\/anna\n/
  },
  {
    title: 'a volume that no directory names',
    inject: edited(edit => {
      edit.removeName('anna')
    }),
    finds: ['volume-unnamed'],
    names: /no directory names volume 1/
  }
]

const OF_CONTENTS: readonly Damage[] = [
  {
    title: 'a body that ends before its extents',
    inject: edited(edit => {
      edit.change('anna/cur/large', { bodyEnd: 5 })
    }),
    finds: ['extents-end'],
    names: /extents of inode \d+ reach to 1500000, and its body to 5\n +\/anna\/cur\/large\n/
  },
  {
    title: 'a file that ends before its extents',
    inject: edited(edit => {
      edit.change('anna/cur/large', { size: 5 })
    }),
    finds: ['extents-outside'],
    names: /extents of inode \d+ reach to 1500000, and the file to 5\n +\/anna\/cur\/large\n/,
    leaves: ['extents-outside']
  },
  {
    title: 'extents that overlap',
    inject: edited(edit => {
      const { ino } = edit.at('anna/cur/small')
      const extent = { offset: 0, length: 10, blob: SMALL_BLOB, blobOffset: 0 }
      const extents = [extent, { ...extent, offset: 5 }]
      edit.put(keys.extentsKey(ino, 0), records.encodeExtents(extents))
      edit.put(keys.blobKey(SMALL_BLOB), records.encodeCount(2))
    }),
    finds: ['extents-overlap'],
    names: /10 bytes at 5, begins in the one before\n +\/anna\/cur\/linked\n/,
    leaves: ['extents-overlap']
  },
  {
    title: 'an extent that uses more than its blob has',
    inject: edited(edit => {
      const { ino, inode } = edit.at('anna/cur/small')
      const extent = { offset: 0, length: inode.size, blob: SMALL_BLOB, blobOffset: 4 }
      edit.put(keys.extentsKey(ino, 0), records.encodeExtents([extent]))
    }),
    finds: ['body-short'],
    names: /blob \w+ has 32 bytes, and 36 are used\n +\/anna\/cur\/linked\n/,
    leaves: ['body-short']
  },
  {
    title: 'a wrong count of references to a blob',
    inject: edited(edit => {
      edit.put(keys.blobKey(SMALL_BLOB), records.encodeCount(5))
    }),
    finds: ['body-count'],
    names: /blob \w+ counts 5 references and has 1\n +\/anna\/cur\/linked\n/
  },
  {
    title: 'a blob that is counted and not used',
    inject: edited(edit => {
      edit.put(keys.blobKey('ab'.repeat(32) as BlobId), records.encodeCount(1))
    }),
    finds: ['body-count'],
    names: /blob abab\w+ counts 1 references and has 0/
  },
  {
    title: 'a blob without a count, and marked to be deleted',
    inject: edited(edit => {
      edit.put(keys.blobKey(SMALL_BLOB), undefined)
      edit.put(keys.blobGarbageKey(SMALL_BLOB), Buffer.alloc(0))
    }),
    finds: ['body-count'],
    names: /blob \w+ has 1 references, which nothing counts\n +\/anna\/cur\/linked\n/
  },
  {
    title: 'a blob that is used and marked to be deleted',
    inject: edited(edit => {
      edit.put(keys.blobGarbageKey(SMALL_BLOB), Buffer.alloc(0))
    }),
    finds: ['body-doomed'],
    names: /blob \w+ is to be deleted\n +\/anna\/cur\/linked\n/
  },
  {
    title: 'a container that is used and marked to be deleted',
    inject: edited(edit => {
      const { ino } = edit.at('anna/dovecot-uidlist')
      edit.put(keys.containerGarbageKey(ino), Buffer.alloc(0))
    }),
    finds: ['container-doomed'],
    names: /the container of inode \d+ is to be deleted\n +\/anna\/dovecot-uidlist\n/
  },
  {
    title: 'a body with another hash',
    inject: store => {
      store.flip(store.blobFile(SMALL), 10)
    },
    finds: ['body-damaged'],
    names: /blob \w+ has another hash\n +\/anna\/cur\/linked\n +\/anna\/cur\/small\n/,
    leaves: ['body-damaged']
  },
  {
    title: 'a body that is missing',
    inject: store => {
      fs.rmSync(store.blobFile(LARGE.subarray(1024 * 1024)))
    },
    finds: ['body-missing'],
    names: /blob \w+ is missing\n +\/anna\/cur\/large\n/,
    leaves: ['body-missing']
  },
  {
    title: 'a container that is missing',
    inject: async store => {
      fs.rmSync(store.containerFile(await store.inoOf('anna/dovecot-uidlist')))
    },
    finds: ['container-missing'],
    names: /containers\/\w+\/\w+ is missing: inode \d+ has 17 bytes\n +\/anna\/dovecot-uidlist\n/,
    leaves: ['container-missing']
  },
  {
    title: 'a container that is too short',
    inject: async store => {
      fs.truncateSync(store.containerFile(await store.inoOf('anna/dovecot-uidlist')), 3)
    },
    finds: ['container-short'],
    names: /has 3 bytes: inode \d+ has 17 bytes\n +\/anna\/dovecot-uidlist\n/,
    leaves: ['container-short']
  },
  {
    title: 'a container that is too long',
    inject: async store => {
      fs.appendFileSync(store.containerFile(await store.inoOf('anna/dovecot-uidlist')), 'more')
    },
    finds: ['container-long'],
    names: /has 21 bytes: inode \d+ has 17 bytes\n +\/anna\/dovecot-uidlist\n/
  },
  {
    title: 'a blob file that nothing names',
    inject: store => {
      fs.writeFileSync(store.path('blobs/ab', 'ab'.repeat(32)), 'stray')
    },
    finds: ['file-unnamed'],
    names: /nothing names blobs\/ab\/abab/
  },
  {
    title: 'a container that nothing names',
    inject: store => {
      fs.writeFileSync(store.path('containers/0a/10a'), 'stray')
    },
    finds: ['file-unnamed'],
    names: /nothing names containers\/0a\/10a/
  },
  {
    title: 'files that are no blobs and no containers',
    inject: store => {
      fs.writeFileSync(store.path('blobs/ab/letter'), 'mine')
      fs.writeFileSync(store.path('containers/ab/letter'), 'mine')
    },
    finds: ['file-unknown', 'file-unknown'],
    names:
      /blobs\/ab\/letter is not the file of a blob\n.*containers\/ab\/letter is not the container/,
    leaves: ['file-unknown', 'file-unknown']
  }
]

for (const damage of [...OF_LOG, ...OF_RECORDS, ...OF_NAMES, ...OF_CONTENTS]) {
  t.test(`${damage.title}: found, and repaired as far as can be`, async t => {
    const store = await FsckStore.make(t, damage.end)
    t.same((await store.check()).problems, [], 'nothing before')
    await damage.inject(store)
    const found = await store.check()
    for (const kind of damage.finds) t.ok(kindsOf(found).includes(kind), kind)
    t.match(renderFsck('data', found), damage.names)
    t.same(await store.check(), found, 'a check changes nothing')
    const { leaves = [] } = damage
    const repaired = await store.repair()
    const left = repaired.problems.filter(problem => !problem.repaired)
    t.same(new Set(left.map(({ kind }) => kind)), new Set(leaves), 'left')
    t.ok(leaves.length > 0 || repaired.problems.length > 0, 'what was repaired is reported')
    t.same(new Set(kindsOf(await store.check())), new Set(leaves), 'the same afterwards')
  })
}

function kindsOf({ problems }: FsckReport): ProblemKind[] {
  return problems.map(({ kind }) => kind)
}

t.test('what no directory names turns up in lost+found, and can be read', async t => {
  const store = await FsckStore.make(t)
  const [large, deep] = [await store.inoOf('anna/cur/large'), await store.inoOf('anna/deep')]
  await store.edit(edit => {
    edit.removeName('anna/cur/large')
    edit.removeName('anna/deep')
    edit.removeName('bert')
  })
  await store.repair()
  await store.serve(async shell => {
    const found = 'anna/lost+found'
    t.same((await shell.list(found)).sort(), [`#${String(deep)}`, `#${String(large)}`].sort())
    t.ok((await shell.read(`${found}/#${String(large)}`)).equals(LARGE))
    t.equal(String(await shell.read(`${found}/#${String(deep)}/deeper/some.lock`)), 'text')
    const bert = `lost+found/#${String(rootInoOf(2 as VolumeId))}`
    t.equal(String(await shell.read(`${bert}/cur/other`)), 'another message')
    t.equal((await shell.node(found)).attr.mode, S_IFDIR | 0o700)
    await shell.rename(`${found}/#${String(large)}`, 'anna/cur/large')
    await shell.write('anna/cur/new', 'it goes on')
  })
  t.same((await store.check()).problems, [])
})

t.test('what is staged and was never named is noted, and no damage', async t => {
  const store = await FsckStore.make(t)
  fs.writeFileSync(store.path('staged', 'ab'.repeat(32)), 'left over')
  const { problems, notes } = await store.check()
  t.same(problems, [])
  t.match(notes, [/^staged\/abab\w+ was never named; the next start removes it$/])
})

t.test('a store that does not open, or cannot be read, is damage', async t => {
  const store = await FsckStore.make(t)
  fs.writeFileSync(store.path('store/CURRENT'), 'MANIFEST-999999\n')
  for (const report of [await store.check(), await store.repair()]) {
    t.match(report.problems, [
      { kind: 'store-unreadable', text: /does not open: /, repaired: false }
    ])
  }
})

for (const format of fs.readdirSync(GOLDEN).sort()) {
  for (const kind of ['closed', 'killed']) {
    t.test(`a ${kind} data directory of format ${format} is whole`, async t => {
      const store = await FsckStore.make(t)
      fs.rmSync(store.directory, { recursive: true })
      fs.cpSync(join(GOLDEN, format, kind), store.directory, { recursive: true })
      untrimSegments(store.directory)
      const report = await store.check()
      t.same([report.problems, report.notes], [[], []])
      t.ok(report.figures.inodes > 15 && report.figures.bodies > 5 && report.figures.entries > 40)
      t.same((await store.repair()).problems, [], 'and there is nothing to repair')
    })
  }
}
