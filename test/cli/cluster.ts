/** What the verbs of a cluster refuse, and how they say it. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runRoost } from '../support/roost-mount.ts'

const [EX_USAGE, EX_UNAVAILABLE, EX_CONFIG, EX_NOINPUT] = [64, 69, 78, 66]
const ADDRESS = '127.0.0.1:7420'

t.test('an address is a host and a port', async t => {
  const data = join(t.testdir(), 'data')
  const made = await runRoost('init', '--data', data, '--listen', 'nonsense')
  t.match(made, { code: EX_USAGE, stderr: /It has to be HOST:PORT/ })
  t.notOk(existsSync(data), 'nothing was made')
})

t.test('copies are asked of a cluster only, and are a number', async t => {
  const data = join(t.testdir(), 'data')
  const alone = await runRoost('init', '--data', data, '--copies', '2')
  t.match(alone, { code: EX_USAGE, stderr: /--copies needs --listen/ })
  const none = await runRoost('init', '--data', data, '--listen', ADDRESS, '--copies', '0')
  t.match(none, { code: EX_USAGE, stderr: /Copies are a number from 1 to 16/ })
})

t.test('what is no invite is not tried, and makes nothing', async t => {
  const data = join(t.testdir(), 'data')
  const joined = await runRoost('join', 'roost1-garbage', '--data', data, '--listen', ADDRESS)
  const stderr =
    /^roost: this is not an invite; one begins with "roost1-".*: its check does not fit$/m
  t.match(joined, { code: EX_UNAVAILABLE, stderr })
  t.notOk(existsSync(data))
})

t.test('a store that was used alone joins nobody, and founds a cluster once', async t => {
  const data = join(t.testdir(), 'data')
  t.match(await runRoost('init', '--data', data), { code: 0 })
  t.match(await runRoost('init', '--data', data, '--listen', ADDRESS), { code: 0 })
  const again = await runRoost('init', '--data', data, '--listen', ADDRESS)
  t.match(again, { code: EX_NOINPUT, stderr: /belongs to a cluster already/ })
})

t.test('who is not mounted invites nobody, and who keeps mail is no witness', async t => {
  const data = join(t.testdir(), 'data')
  await runRoost('init', '--data', data, '--listen', ADDRESS)
  t.match(await runRoost('invite', '--data', data), { code: EX_UNAVAILABLE, stdout: /^$/ })
  t.match(await runRoost('peers', '--data', data), { code: EX_UNAVAILABLE })
  const witness = await runRoost('witness', '--data', data)
  t.match(witness, { code: EX_CONFIG, stderr: /is no witness; see roost join --role witness/ })
})
