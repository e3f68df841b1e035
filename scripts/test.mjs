/**
 * `npm test`: everything but soaks, from a fresh clone on; `npm test -- FILE ...` runs some tests.
 *
 * The last line says how many assertions passed and failed.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build, checkCompiler, checkMachine, installPackages, ROOT, run, tool } from './prepare.mjs'

/** What the tests use beside Node.js: a real Dovecot, and mounts by an ordinary user. */
const DEBIAN_PACKAGES = [
  'dovecot-core',
  'dovecot-imapd',
  'dovecot-lmtpd',
  'dovecot-pop3d',
  'dovecot-sieve',
  'fuse3',
  'iproute2'
]

/** Folders of test/ whose tests have a command of their own, being long or needing more. */
const APART = ['build-c', 'dovecot-2.4', 'soak']

const chosen = process.argv.slice(2)

checkMachine()
installPackages()
installDebianPackages()
checkCompiler()
if (chosen.length === 0) {
  step('type check', tool('tsc'), ['--noEmit'])
  step('lint', tool('eslint'), ['.', '--max-warnings=0'])
  step('format', tool('prettier'), ['--check', '.'])
}
build()
await runTests(chosen.length > 0 ? chosen : findTests())

/** The packages that are missing, if we may install them. Tests name those that they miss. */
function installDebianPackages() {
  const missing = DEBIAN_PACKAGES.filter(name => !isDebianPackageInstalled(name))
  if (missing.length === 0) return
  if (process.getuid() !== 0) {
    console.error(`roost: not root, so not installing ${missing.join(' ')}.`)
    return
  }
  console.log(`Installing ${missing.join(' ')} ...`)
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const isDone =
    run('apt-get', ['update', '-q'], env) &&
    run('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...missing], env)
  if (!isDone) console.error('roost: that failed; the tests that need them will fail too.')
}

function isDebianPackageInstalled(name) {
  const query = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Status}', name])
  return String(query.stdout) === 'installed'
}

function step(title, program, args) {
  console.log(`\n${title}`)
  if (!run(program, args)) finish({ pass: 0, fail: 1 }, `The ${title} failed; see above.`)
}

/** Every file of test/ that runs tests, and not one that merely brings something for them. */
function findTests() {
  return readdirSync(join(ROOT, 'test'), { recursive: true })
    .filter(name => name.endsWith('.ts') && !APART.includes(name.split('/')[0]))
    .map(name => join('test', name))
    .filter(path => /^import t\b.* from 'tap'$/m.test(readFileSync(join(ROOT, path), 'utf8')))
    .sort()
}

async function runTests(files) {
  console.log(`\ntests: ${files.length} files`)
  const tap = spawn(tool('tap'), ['--reporter=tap', ...files], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let counts = ''
  let failureIndent
  for await (const line of createInterface({ input: tap.stdout })) {
    // One line for each file, and all that tap says of a failure, up to the end of its block.
    if (/^ *not ok /.test(line)) failureIndent = line.search(/\S/)
    const isBelow = line.trim() === '' || line.search(/\S/) >= failureIndent
    const isFailure = failureIndent !== undefined && isBelow
    if (isFailure || /^ok /.test(line)) console.log(line)
    if (line.trim() === '...' || !isFailure) failureIndent = undefined
    if (line.startsWith('# { total: ')) counts = line
  }
  const status = tap.exitCode ?? (await once(tap, 'exit'))[0]
  judge(countsIn(counts), status === 0)
}

function judge(result, isGood) {
  if (result === undefined) finish({ pass: 0, fail: 1 }, 'The tests ended without a result.')
  const leftOut = result.skip + result.todo
  if (leftOut > 0) result.fail += leftOut
  else if (!isGood && result.fail === 0) result.fail = 1
  finish(result, leftOut > 0 ? `${leftOut} tests were left out, which counts as failed.` : '')
}

/** The counts of tap's closing comment, `# { total: 3, pass: 2, fail: 1 }`. */
function countsIn(counts) {
  if (counts === '') return undefined
  const countOf = name => Number(counts.match(new RegExp(`\\b${name}: (\\d+)`))?.[1] ?? 0)
  const [pass, fail, skip, todo] = ['pass', 'fail', 'skip', 'todo'].map(countOf)
  return { pass, fail, skip, todo }
}

function finish({ pass, fail }, sentence) {
  if (sentence !== '') console.error(`roost: ${sentence}`)
  console.log(`${pass} passed, ${fail} failed`)
  process.exit(fail === 0 && pass > 0 ? 0 : 1)
}
