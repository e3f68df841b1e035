/** What can be wrong with names, and with the inodes that they name. */

import { inoOf, rootInoOf, type Ino, type VolumeId } from '../../lib/ids.ts'
import * as keys from '../../lib/store/keys.ts'
import * as records from '../../lib/store/records.ts'
import { S_IFDIR, S_IFREG } from '../../lib/tree/inode.ts'
import { type Damage, edited } from './fsck-damage.ts'

const ANNA = 1 as VolumeId

export const OF_NAMES: readonly Damage[] = [
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
