/**
 * What a case of the POSIX suite is given: a directory of its own, other processes to work
 * with, and the few assertions that all cases need. Everything it opens it closes again.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const PEER = fileURLToPath(new URL('./posix-peer.mjs', import.meta.url))
/** Numbers of the system calls in which a waiting peer is seen, by Node's name for the CPU. */
const SYSCALL_NUMBERS = { x64: { fcntl: 72, flock: 73 }, arm64: { fcntl: 25, flock: 32 } }

/** A process of its own that runs one call at a time; see posix-peer.mjs. */
export class PosixPeer {
  #child
  #lines

  /** @param fds descriptors of this process that the peer inherits, as its 3, 4, ... */
  constructor(directory, fds) {
    this.#child = spawn(process.execPath, [PEER], {
      cwd: directory,
      stdio: ['pipe', 'pipe', 'inherit', ...fds]
    })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  get pid() {
    return this.#child.pid
  }

  /** @throws what the call threw there, with its `code` */
  async #call(module, name, args) {
    this.#child.stdin.write(JSON.stringify({ module, name, args }) + '\n')
    const { value: line, done } = await this.#lines.next()
    if (done) throw new Error(`the other process ended in ${name}`)
    const { value, code, message } = JSON.parse(line)
    if (code !== undefined) throw Object.assign(new Error(`there: ${message}`), { code })
    return value
  }

  /** A function of node:fs, such as 'openSync'. */
  fs(name, ...args) {
    return this.#call('fs', name, args)
  }

  /** A function of posix-syscalls.mjs. */
  sys(name, ...args) {
    return this.#call('syscalls', name, args)
  }

  process(name, ...args) {
    return this.#call('process', name, args)
  }

  become(uid) {
    return this.#call('self', 'become', [uid])
  }

  signal(name) {
    this.#child.kill(name)
  }

  /** Resolves when the process sleeps in the system call `name` ('fcntl' or 'flock'). */
  async blockedIn(name) {
    const number = SYSCALL_NUMBERS[process.arch][name]
    const isThere = () =>
      fs.readFileSync(`/proc/${this.pid}/syscall`, 'latin1').startsWith(`${number} `)
    while (!isThere()) await setImmediate()
  }

  /** Ends the process as `kill -9` does, or by the end of its input. */
  async end(signal) {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = new Promise(resolve => this.#child.once('exit', resolve))
    if (signal === undefined) this.#child.stdin.end()
    else this.#child.kill(signal)
    await exited
  }
}

/** See the head of the file. */
export class PosixDriver {
  /** An empty directory, mode 0755, removed after the case. */
  dir
  #peers = []
  #fds = new Set()

  constructor(dir) {
    this.dir = dir
  }

  path(name) {
    return `${this.dir}/${name}`
  }

  /** The path of a name that need not be text. */
  bytePath(name) {
    return Buffer.concat([Buffer.from(`${this.dir}/`), name])
  }

  open(name, flags, mode = 0o644) {
    const fd = fs.openSync(this.path(name), flags, mode)
    this.#fds.add(fd)
    return fd
  }

  close(fd) {
    this.#fds.delete(fd)
    fs.closeSync(fd)
  }

  write(name, text = '') {
    fs.writeFileSync(this.path(name), text)
    return this.path(name)
  }

  read(name) {
    return fs.readFileSync(this.path(name), 'latin1')
  }

  mkdir(name, mode = 0o755) {
    fs.mkdirSync(this.path(name), mode)
    return this.path(name)
  }

  /** stat or lstat with nanoseconds; all numbers are bigints. */
  stat(name, followLink = true) {
    const call = followLink ? fs.statSync : fs.lstatSync
    return call(this.path(name), { bigint: true })
  }

  list(name = '.') {
    return fs.readdirSync(this.path(name)).sort()
  }

  peer({ uid, fds = [] } = {}) {
    const peer = new PosixPeer(this.dir, fds)
    this.#peers.push(peer)
    return uid === undefined ? Promise.resolve(peer) : peer.become(uid).then(() => peer)
  }

  /** A process with its own descriptor, for reading and writing, of the file `name`. */
  async opener(name) {
    const peer = await this.peer()
    const fd = await peer.fs('openSync', name, 'r+')
    return { peer, fd }
  }

  /**
   * Returns when a change made now gets a later ctime than `stamp`, in nanoseconds. The file
   * that tells lies beside the directory, so that the directory's own times stay.
   */
  passTime(stamp) {
    const probe = `${this.dir}.clock`
    fs.writeFileSync(probe, '')
    do fs.chmodSync(probe, 0o600)
    while (fs.statSync(probe, { bigint: true }).ctimeNs <= stamp)
    fs.unlinkSync(probe)
  }

  async finish() {
    for (const fd of this.#fds) fs.closeSync(fd)
    await Promise.all(this.#peers.map(peer => peer.end('SIGKILL')))
  }
}

/** Asserts that `task` fails with the errno of that name. */
export function fails(code, task) {
  assert.throws(task, error => {
    assert.equal(error.code, code, `${error.message}, where ${code} was due`)
    return true
  })
}

/** The same for what another process does. */
export async function rejects(code, promise) {
  await assert.rejects(promise, error => {
    assert.equal(error.code, code, `${error.message}, where ${code} was due`)
    return true
  })
}
