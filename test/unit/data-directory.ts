import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  DATA_FORMAT,
  initDataDirectory,
  migrateIdentity,
  readIdentity
} from '../../lib/io/data-directory.ts'

t.test('a directory of an older format is raised to this one, once', t => {
  const directory = join(t.testdir({}), 'data')
  const made = initDataDirectory(directory, 2)
  t.equal(made.format, DATA_FORMAT)
  const file = join(directory, 'roost.json')
  fs.writeFileSync(file, JSON.stringify({ ...made, format: 1 }))
  t.strictSame(readIdentity(directory), { ...made, format: 1 }, 'reading changes nothing')
  t.strictSame(migrateIdentity(directory), made)
  t.strictSame(readIdentity(directory), made)
  const { mtimeNs } = fs.statSync(file, { bigint: true })
  t.strictSame(migrateIdentity(directory), made)
  t.equal(fs.statSync(file, { bigint: true }).mtimeNs, mtimeNs, 'it is not written again')
  t.end()
})

t.test('a directory of a newer format is neither read nor lowered', t => {
  const directory = join(t.testdir({}), 'data')
  const made = initDataDirectory(directory, 1)
  const text = JSON.stringify({ ...made, format: DATA_FORMAT + 1 })
  fs.writeFileSync(join(directory, 'roost.json'), text)
  t.throws(() => migrateIdentity(directory), { code: 'DATA_FORMAT' })
  t.equal(fs.readFileSync(join(directory, 'roost.json'), 'utf8'), text)
  t.end()
})
