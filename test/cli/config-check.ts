/** `roost config check`, and what every verb says of a configuration that is not right. */

import { join } from 'node:path'
import t from 'tap'
import { configFile, directoryFor, roost } from './roost-command.ts'

const EX_USAGE = 64
const EX_NOINPUT = 66
const EX_CONFIG = 78
const FSCK_ERROR = 8

const SAMPLE = new URL('../../examples/roost.yaml', import.meta.url).pathname

t.test('the sample is right, and every setting is shown with where it comes from', async t => {
  const { code, stdout, stderr } = await roost(['config', 'check', '--config', SAMPLE])
  t.match({ code, stderr }, { code: 0, stderr: /^$/ })
  const lines = stdout.trimEnd().split('\n')
  t.equal(lines[0], `roost: ${SAMPLE} is right`)
  t.match(stdout, /^memory\.bodies +32MiB +\/.*roost\.yaml:\d+$/m)
  t.match(stdout, /^files +16 rules +\/.*roost\.yaml:\d+$/m)
})

t.test('without a file the defaults are shown', async t => {
  const { code, stdout, stderr } = await roost(['config', 'check'])
  t.match({ code, stderr }, { code: 0, stderr: /^$/ })
  t.match(stdout, /^roost: there is no \/etc\/roost\/roost\.yaml, which is right$/m)
  t.match(stdout, /^log\.gather +1s +default$/m)
})

t.test('all that is wrong is told with its line, and the exit code is 78', async t => {
  const file = await configFile(t, 'data: /x\nmemroy: {}\nlog:\n  gather: soon\n')
  const check = await roost(['config', 'check', '--config', file])
  t.equal(check.code, EX_CONFIG)
  t.equal(check.stdout, '')
  t.strictSame(check.stderr.trimEnd().split('\n'), [
    `roost: ${file}:2: unknown key "memroy"; there are data, volume_depth, mount, memory, log, ` +
      'lease, files',
    `roost: ${file}:4: log.gather cannot be "soon"; it has to be a time such as 500ms or 1s, ` +
      'from 0ms to 1min'
  ])
  for (const verb of ['init', 'mount', 'umount', 'status', 'stats']) {
    const seen = await roost([verb, '--config', file])
    t.strictSame(seen, { code: EX_CONFIG, stdout: '', stderr: check.stderr }, verb)
  }
  const exported = await roost(['export', join(file, 'x'), '--config', file])
  t.strictSame(exported, { code: EX_CONFIG, stdout: '', stderr: check.stderr })
  const checked = await roost(['fsck', '--config', file])
  t.strictSame(checked, { code: FSCK_ERROR, stdout: '', stderr: check.stderr }, 'as fsck(8) has it')
})

t.test('as JSON', async t => {
  const right = await configFile(t, 'data: /x\n')
  const seen = await roost(['config', 'check', '--json', '--config', right], { ROOST_DATTA: '1' })
  t.match(seen, { code: 0, stderr: /^$/ })
  t.match(JSON.parse(seen.stdout), {
    file: right,
    problems: [],
    strangers: ['ROOST_DATTA'],
    config: { dataDirectory: '/x', tuning: { bodyBytes: 2 ** 25 } },
    origins: { data: `${right}:1`, files: 'default' }
  })
  const wrong = await configFile(t, 'dat: /x\n')
  const refused = await roost(['config', 'check', '--json', '--config', wrong])
  t.match(refused, { code: EX_CONFIG, stderr: /^$/ })
  const { problems, config } = JSON.parse(refused.stdout) as { problems: string[]; config: unknown }
  t.match(problems, [/roost\.yaml:1: unknown key "dat"/])
  t.equal(problems.length, 1)
  t.equal(config, undefined)
})

t.test('the command line comes before the environment, and that before the file', async t => {
  const file = await configFile(t, 'data: /file\nlog: { gather: 3s }\nmemory: { bodies: 8MiB }\n')
  const variables = { ROOST_CONFIG: file, ROOST_DATA: '/variable', ROOST_LOG_GATHER: '2s' }
  const set = ['--set', 'data=/flag', '--set', 'log.gather_bytes=2MiB']
  const { stdout } = await roost(['config', 'check', ...set], variables)
  t.match(stdout, /^data +\/flag +command line$/m)
  t.match(stdout, /^log\.gather +2s +ROOST_LOG_GATHER$/m)
  t.match(stdout, /^log\.gather_bytes +2MiB +command line$/m)
  t.ok(stdout.includes(`${file}:3\n`), 'what only the file says')
})

t.test('a bad variable is refused by its name', async t => {
  const seen = await roost(['config', 'check'], { ROOST_VOLUME_DEPTH: '7' })
  const stderr = 'roost: ROOST_VOLUME_DEPTH cannot be "7"; it has to be a number from 1 to 4\n'
  t.strictSame(seen, { code: EX_CONFIG, stdout: '', stderr })
})

t.test('a variable that is no setting is named, and does no harm', async t => {
  const seen = await roost(['config', 'check'], { ROOST_PORT: 'tcp://10.0.0.1:80' })
  t.match(seen, { code: 0, stderr: "roost: ROOST_PORT is no setting of Roost's\n" })
})

t.test('a file that is named and cannot be read is refused', async t => {
  const missing = join(await directoryFor(t), 'none.yaml')
  const stderr = `roost: ${missing} cannot be read: it is not there\n`
  const seen = await roost(['config', 'check', '--config', missing])
  t.strictSame(seen, { code: EX_NOINPUT, stdout: '', stderr })
  const named = await roost(['status'], { ROOST_CONFIG: missing })
  t.strictSame(named, { code: EX_NOINPUT, stdout: '', stderr })
  const directory = await directoryFor(t)
  t.match(await roost(['config', 'check', '--config', directory]), {
    code: EX_NOINPUT,
    stdout: /^$/,
    stderr: `roost: ${directory} cannot be read: EISDIR`
  })
})

t.test('a variable that a value needs is taken from the environment, or missed', async t => {
  const file = await configFile(t, '\ndata: ${SPOOL}/data\n')
  const found = await roost(['config', 'check', '--config', file], { SPOOL: '/srv' })
  t.match(found, { code: 0, stdout: /^data +\/srv\/data /m })
  const missed = await roost(['config', 'check', '--config', file])
  const stderr = `roost: ${file}:2: the variable SPOOL is not set\n`
  t.match(missed, { code: EX_CONFIG, stdout: /^$/, stderr })
})

t.test('a setting that the command line gets wrong is wrong usage', async t => {
  const lines: [string, string][] = [
    ['memory.body=1GiB', 'There is no setting "memory.body"; data, volume_depth,'],
    ['memory.bodies', 'It has to be a size such as 64MiB, from 4MiB to 1TiB.'],
    ['log.gather=1', 'It has to be a time such as 500ms or 1s, from 0ms to 1min.'],
    ['data=x', 'It has to be an absolute path.']
  ]
  for (const [text, sentence] of lines) {
    const seen = await roost(['config', 'check', '--set', text])
    t.match(seen, { code: EX_USAGE, stdout: /^$/, stderr: sentence }, text)
  }
})
