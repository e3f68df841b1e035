/**
 * What a clone needs before it can be built or tested, using nothing but Node.js.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The compiler that checks and builds; its side-by-side sibling serves the test runner. */
const COMPILER = 'Version 7.0.2'

const NODE_MIN = [20, 19]

/** Ends the program with one clear sentence. */
export function giveUp(sentence) {
  console.error(`roost: ${sentence}`)
  process.exit(1)
}

export function checkMachine() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const isOld = major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])
  if (isOld) giveUp(`needs Node.js ${NODE_MIN.join('.')} or newer; this is ${process.version}.`)
  if (process.platform !== 'linux') giveUp(`runs on Linux only; this is ${process.platform}.`)
}

/** Runs `npm ci` unless node_modules has just what the lockfile names. */
export function installPackages() {
  if (isInstalled()) return
  console.log('Installing packages ...')
  // The packages bring what they need ready-built, so none gets to run a script of its own.
  if (!run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])) {
    giveUp('npm ci failed; see above.')
  }
}

export function checkCompiler() {
  const { stdout } = spawnSync(tool('tsc'), ['--version'], { cwd: ROOT, encoding: 'utf8' })
  const version = String(stdout).trim()
  if (version !== COMPILER) giveUp(`tsc should say "${COMPILER}" and says "${version}".`)
}

export function build() {
  if (!run(tool('tsc'), ['-p', 'tsconfig.build.json'])) giveUp('the build failed; see above.')
}

/** The path of a program that a package brings. */
export function tool(name) {
  return join(ROOT, 'node_modules', '.bin', name)
}

/** Runs a program in the clone, with our terminal. @returns whether it succeeded. */
export function run(program, args, env = {}) {
  const options = { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } }
  const { status, error } = spawnSync(program, args, options)
  if (error) console.error(`${program}: ${error.message}`)
  return status === 0
}

function isInstalled() {
  const wanted = packagesIn('package-lock.json')
  const there = packagesIn(join('node_modules', '.package-lock.json'))
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    // What is optional may be for another platform; the root has no path.
    return path === '' || there[path]?.version === version || (optional && !there[path])
  })
}

function packagesIn(lockfile) {
  try {
    return JSON.parse(readFileSync(join(ROOT, lockfile), 'utf8')).packages
  } catch (error) {
    if (error.code === 'ENOENT') return {}
    throw error
  }
}
