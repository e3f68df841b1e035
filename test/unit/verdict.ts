import t from 'tap'
import type { Status } from '../../lib/host/status.ts'
import { logConcerns, verdictOf } from '../../lib/host/verdict.ts'

const WELL: Status = {
  state: 'serving',
  dataDirectory: '/var/lib/roost',
  storeId: 's',
  format: 2,
  mountpoint: '/srv/mail',
  warnings: [],
  concerns: [],
  damagedBodies: []
}

t.test('all is well', async t => {
  t.strictSame(verdictOf(WELL), { level: 'OK', exitCode: 0, text: 'serves /srv/mail' })
})

t.test('what the start had to say is told, and no reason to wake anybody', async t => {
  t.equal(verdictOf({ ...WELL, warnings: ['a torn end was cut'] }).exitCode, 0)
})

t.test('what repairs itself is a warning, and a body that cannot be read as well', async t => {
  const away = { severity: 'warning', text: 'replica 2 is away' } as const
  const damagedBodies = [{ blob: 'b', reason: 'a body has another hash' }]
  const verdict = verdictOf({ ...WELL, concerns: [away], damagedBodies })
  const text = 'replica 2 is away; a body has another hash'
  t.strictSame(verdict, { level: 'WARNING', exitCode: 1, text })
})

t.test('what stops writers is critical, and is said first', async t => {
  const away = { severity: 'warning', text: 'replica 2 is away' } as const
  const concerns = [away, ...logConcerns(true, undefined)]
  const { level, exitCode, text } = verdictOf({ ...WELL, concerns })
  t.match({ level, exitCode }, { level: 'CRITICAL', exitCode: 2 })
  t.match(text, /^the log cannot be written to the disk.*; replica 2 is away$/)
})

t.test('a store that is behind is told in words', async t => {
  const [full] = logConcerns(false, 'RoostError: DISK_FULL: the store cannot be written Error: x')
  t.match(full, { severity: 'critical', text: /the disk is full; make room on it$/ })
  const [other] = logConcerns(false, 'RoostError: STORE_FAILED: it is damaged')
  t.match(other?.text, /store: it is damaged$/)
  t.same(logConcerns(false, undefined), [])
})

t.test('where nobody serves, nobody can say', async t => {
  const verdict = verdictOf({ ...WELL, state: 'not mounted' })
  t.match(verdict, { level: 'UNKNOWN', exitCode: 3, text: 'no daemon serves /var/lib/roost' })
})
