/** What can be wrong with contents: extents, blobs, containers and their files. */

import * as fs from 'node:fs'
import * as keys from '../../lib/store/keys.ts'
import * as records from '../../lib/store/records.ts'
import { sha256Hex } from '../../lib/util/hash.ts'
import type { BlobId } from '../../lib/ids.ts'
import { LARGE, SMALL } from './fsck-store.ts'
import { type Damage, edited } from './fsck-damage.ts'

const SMALL_BLOB = sha256Hex(SMALL) as BlobId

export const OF_CONTENTS: readonly Damage[] = [
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
