/** What is asked of the tool itself, and what it says to words that it does not know. */

import { readFileSync } from 'node:fs'
import t from 'tap'
import { DATA_FORMAT } from '../../lib/io/data-directory.ts'
import { roost } from './roost-command.ts'

const EX_USAGE = 64
const FSCK_USAGE = 16

const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
) as { version: string }

const VERBS = [
  'init',
  'mount',
  'umount',
  'status',
  'stats',
  'fsck',
  'export',
  'config',
  'config check',
  'completion',
  'version',
  'help'
]

t.test('version says which it is', async t => {
  const what = `data format ${DATA_FORMAT}, Node.js ${process.version}, ${process.arch}`
  const said = `roost ${version} (${what})\n`
  t.strictSame(await roost(['version']), { code: 0, stdout: said, stderr: '' })
  t.strictSame(await roost(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
  const { stdout } = await roost(['version', '--json'])
  t.match(JSON.parse(stdout), {
    version,
    format: DATA_FORMAT,
    node: process.version,
    arch: process.arch
  })
})

t.test('help explains every verb, with every option', async t => {
  const all = await roost(['help'])
  t.match(all, { code: 0, stderr: /^$/ })
  for (const verb of VERBS) {
    const { code, stdout, stderr } = await roost(['help', ...verb.split(' ')])
    t.match({ code, stderr }, { code: 0, stderr: /^$/ }, verb)
    t.ok(stdout.startsWith(`Usage: roost ${verb}`), `${verb} is explained`)
    t.strictSame(await roost([...verb.split(' '), '--help']), { code, stdout, stderr })
    if (!verb.includes(' ')) t.match(all.stdout, new RegExp(`^  ${verb}\\b`, 'm'), 'and listed')
  }
})

t.test('verbs that look at something have it as JSON too', async t => {
  for (const verb of ['status', 'stats', 'fsck', 'config check', 'version']) {
    t.match((await roost(['help', ...verb.split(' ')])).stdout, /^ +--json /m, verb)
  }
})

t.test('wrong usage is refused with what is wrong', async t => {
  const shells = 'Allowed choices are bash, zsh, fish.'
  const lines: [string[], string][] = [
    [['stat'], "error: unknown command 'stat'\n(Did you mean"],
    [['help', 'mont'], "error: unknown command 'mont'\n"],
    [['help', 'config', 'chek'], "error: unknown command 'config chek'\n"],
    [['config', 'chek'], "error: unknown command 'chek'\n(Did you mean check?)"],
    [['stats', '--data', 'x', '--watch', '0'], 'It has to be a number of seconds, from 0.1 to a'],
    [['stats', '--data', 'x', '--watch', 'x'], 'It has to be a number of seconds, from 0.1 to a'],
    [['stats'], 'error: no data directory; --data, ROOST_DATA or a configuration says which\n'],
    [['status'], 'error: no data directory; --data, ROOST_DATA or a configuration says which\n'],
    [['init'], 'error: no data directory; --data, ROOST_DATA or a configuration says which\n'],
    [['export', 'x'], 'error: no data directory; --data, ROOST_DATA or a configuration says'],
    [['export', '--data', 'x'], "error: missing required argument 'dest'\n"],
    [['completion'], "error: missing required argument 'shell'\n"],
    [['completion', 'tcsh'], `error: command-argument value 'tcsh' is invalid`],
    [['completion', 'tcsh'], shells],
    [['init', '--data', 'x', '--volume-depth', '9'], 'It has to be a number from 1 to 4.'],
    [['version', 'now'], "error: too many arguments for 'version'"]
  ]
  for (const [words, stderr] of lines) {
    const seen = await roost(words)
    t.match(seen, { code: EX_USAGE, stdout: /^$/, stderr }, words.join(' '))
  }
  const stderr = 'error: no data directory; --data, ROOST_DATA or a configuration says which\n'
  t.strictSame(await roost(['fsck']), { code: FSCK_USAGE, stdout: '', stderr })
})

t.test('without a verb the verbs are shown, as wrong usage', async t => {
  t.match(await roost([]), { code: EX_USAGE, stdout: /^$/, stderr: 'Usage: roost' })
  t.match(await roost(['config']), { code: EX_USAGE, stdout: /^$/, stderr: 'Usage: roost config' })
})
