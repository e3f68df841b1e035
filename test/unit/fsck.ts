import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { renderFsck } from '../../lib/cli/render-fsck.ts'
import type { FsckReport } from '../../lib/fsck/fsck.ts'
import type { ProblemKind } from '../../lib/fsck/problem.ts'
import { rootInoOf, type VolumeId } from '../../lib/ids.ts'
import { S_IFDIR } from '../../lib/tree/inode.ts'
import { FsckStore, LARGE } from '../support/fsck-store.ts'
import { untrimSegments } from '../support/golden.ts'
import { OF_CONTENTS } from '../support/fsck-damage-of-contents.ts'
import { OF_NAMES } from '../support/fsck-damage-of-names.ts'
import { OF_LOG, OF_RECORDS } from '../support/fsck-damage-of-records.ts'

const GOLDEN = join(import.meta.dirname, '../fixtures/data')

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
