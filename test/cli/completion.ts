/** The completion scripts: bash takes its own and completes by it; the others name everything. */

import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { command } from '../mount/place.ts'
import { PLAINLY } from '../support/roost-mount.ts'
import { directoryFor, roost } from './roost-command.ts'

const PATIENCE_MS = 60_000
const TAB = '\t'

async function scriptFile(t: Test): Promise<string> {
  const path = join(await directoryFor(t), 'roost.bash')
  const { stdout } = await roost(['completion', 'bash'])
  await writeFile(path, stdout)
  return path
}

t.test('bash accepts its script', async t => {
  const script = await scriptFile(t)
  t.strictSame(await command(['bash', '-n', script]), { code: 0, stdout: '', stderr: '' })
  const run = await command(['bash', '--norc', '-euc', `source ${script}; complete -p roost`])
  t.strictSame(run, { code: 0, stdout: 'complete -F _roost roost\n', stderr: '' })
})

t.test('bash finds what can follow', async t => {
  const script = await scriptFile(t)
  const directory = await directoryFor(t)
  await mkdir(join(directory, 'data one'))
  await writeFile(join(directory, 'data.yaml'), '')
  const lines: [string[], string[]][] = [
    [['st'], ['stats', 'status']],
    [['config', ''], ['check']],
    [
      ['config', 'check', '--'],
      ['--config', '--help', '--json', '--set']
    ],
    [
      ['mount', '--mode', ''],
      ['shared', 'single']
    ],
    [['mount', '--mode', '=', 'sh'], ['shared']],
    [
      ['mount', '--mode', '='],
      ['shared', 'single']
    ],
    [
      ['mount', '--set', 'memory'],
      ['memory.bodies=', 'memory.contents=', 'memory.metadata=']
    ],
    [['stats', '--watch', '5', '--j'], ['--json']],
    [['help', 'u'], ['umount']],
    [
      ['completion', ''],
      ['bash', 'fish', 'zsh']
    ],
    [['completion', 'bash', ''], []],
    [['init', '--volume-depth', ''], []],
    [['status', '--data', join(directory, 'd')], [join(directory, 'data one')]],
    [['status', '--data', '=', join(directory, 'd')], [join(directory, 'data one')]],
    [['export', '--data', '/x', join(directory, 'd')], [join(directory, 'data one')]],
    [['export', join(directory, 'x'), join(directory, 'd')], []],
    [
      ['status', '--config', join(directory, 'd')],
      [join(directory, 'data one'), join(directory, 'data.yaml')]
    ]
  ]
  for (const [words, expected] of lines) {
    const complete = 'COMP_WORDS=(roost "$@"); COMP_CWORD=$#; _roost'
    const ask = `source ${script}; ${complete}; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr } = await command(['bash', '--norc', '-c', ask, 'bash', ...words])
    const found = stdout.split('\n').filter(word => word !== '')
    t.strictSame(found.sort(), expected, words.join(' '))
    t.equal(stderr, '')
  }
})

t.test('bash completes what is typed on a terminal', async t => {
  const script = await scriptFile(t)
  const typed = [
    'PS1=; bind "set enable-bracketed-paste off"; roost() { echo "[$*]"; }',
    `source ${script}`,
    `roost conf${TAB}ch${TAB}--js${TAB}`,
    `roost mount --mode sh${TAB}--forc${TAB}`,
    `roost mount --set log.gather_${TAB}2MiB`,
    'exit'
  ]
  const output = await typedInto('bash --norc --noprofile -i', typed)
  t.match(output, /^\[config check --json ?\]\r?$/m)
  t.match(output, /^\[mount --mode shared --force ?\]\r?$/m)
  t.match(output, /^\[mount --set log\.gather_bytes=2MiB\]\r?$/m)
})

t.test('the scripts of the other shells know every verb and every option', async t => {
  const help = (await roost(['help'])).stdout
  const verbs = [...help.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, verb = '']) => verb)
  t.ok(verbs.length > 10)
  for (const shell of ['zsh', 'fish']) {
    const { code, stdout, stderr } = await roost(['completion', shell])
    t.match({ code, stderr }, { code: 0, stderr: /^$/ })
    const missing: string[] = []
    for (const verb of verbs) {
      if (!new RegExp(`\\b${verb}\\b`).test(stdout)) missing.push(verb)
      const { stdout: text } = await roost([verb, '--help'])
      for (const [, option = ''] of text.matchAll(/^ +(?:-\w, )?--([a-z-]+)/gm)) {
        if (!new RegExp(`(?:--|-l )${option}\\b`).test(stdout)) missing.push(`${verb} --${option}`)
      }
    }
    t.strictSame(missing, [], shell)
  }
})

/** What a program shows on a terminal where these lines are typed, each when it asks for one. */
async function typedInto(program: string, lines: readonly string[]): Promise<string> {
  const words = ['--quiet', '--return', '--command', program, '/dev/null']
  const [first, ...rest] = [...PLAINLY, 'TERM=dumb', 'script', ...words]
  const child = spawn(first, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stdin.write(`${lines.join('\n')}\n`)
  await new Promise(resolve => child.once('close', resolve))
  clearTimeout(patience)
  return output
}
