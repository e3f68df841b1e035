/** What can be wrong with the log, and with the records of the store. */

import * as fs from 'node:fs'
import { type VolumeId } from '../../lib/ids.ts'
import * as keys from '../../lib/store/keys.ts'
import * as records from '../../lib/store/records.ts'
import { present } from '../../lib/util/assert.ts'
import { type StoreEdit } from './fsck-store.ts'
import { type Damage, edited } from './fsck-damage.ts'

const ANNA = 1 as VolumeId
const SEGMENT = 'feeds/0000000001/00000000.seg'

function changeVolume(edit: StoreEdit, volume: VolumeId, change: object): void {
  const key = keys.volumeKey(volume)
  const record = records.decodeVolume(present(edit.store.get(key), 'volume'))
  edit.put(key, records.encodeVolume({ ...record, ...change }))
}

export const OF_LOG: readonly Damage[] = [
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

export const OF_RECORDS: readonly Damage[] = [
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
