/**
 * Several replicas of one cluster on this machine, each a process of its own, as an admin runs
 * them.
 */

import { spawn, execFile, type ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ClusterStatus } from '../../lib/host/cluster-report.ts'
import { requireFuse, requireRoot } from './prerequisites.ts'
import { PLAINLY, ROOST, runRoost, type Teardown } from './roost-mount.ts'

const run = promisify(execFile)
const PATIENCE_MS = 60_000
const LOOK_MS = 50

export interface ClusterOptions {
  readonly stores: number
  readonly copies: number
  readonly witness?: boolean
  /** Uid and gid that the root of the tree is given to. */
  readonly owner?: number
  readonly initArgs?: readonly string[]
  /** Of every store. */
  readonly mountArgs?: readonly string[]
}

/** A member, whether it runs or not. */
export class ClusterMember {
  readonly dataDir: string
  readonly mountpoint: string
  readonly address: string
  readonly isWitness: boolean
  readonly #mountArgs: readonly string[]
  #daemon: ChildProcess | undefined
  #output = ''

  constructor(
    directory: string,
    number: number,
    port: number,
    isWitness: boolean,
    mountArgs: readonly string[] = []
  ) {
    this.#mountArgs = mountArgs
    this.dataDir = join(directory, `data${number}`)
    this.mountpoint = join(directory, `mnt${number}`)
    this.address = `127.0.0.1:${port}`
    this.isWitness = isWitness
  }

  get pid(): number {
    return this.#daemon?.pid ?? 0
  }

  /** What the daemon has printed since its last start. */
  get output(): string {
    return this.#output
  }

  get isRunning(): boolean {
    return this.#daemon !== undefined && this.#daemon.exitCode === null
  }

  async start(): Promise<void> {
    const verb = this.isWitness
      ? ['witness', '--data', this.dataDir]
      : ['mount', this.mountpoint, '--data', this.dataDir, '--force', '--no-supervise']
    if (!this.isWitness) verb.push(...this.#mountArgs)
    const [program, ...args] = [...PLAINLY, process.execPath, ROOST, ...verb]
    const daemon = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#daemon = daemon
    this.#output = ''
    const take = (text: Buffer): void => void (this.#output += text.toString())
    daemon.stdout.on('data', take)
    daemon.stderr.on('data', take)
    const end = performance.now() + PATIENCE_MS
    while (!/is mounted|votes/.test(this.#output)) {
      if (daemon.exitCode !== null || performance.now() > end) {
        throw new Error(`a member does not start: ${this.#output}`)
      }
      await pause(LOOK_MS)
    }
  }

  /** In good order. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
    if (!this.isWitness) await lazyUnmount(this.mountpoint)
  }

  signal(signal: NodeJS.Signals): void {
    this.#daemon?.kill(signal)
  }

  /** Undefined when it does not answer. */
  async cluster(): Promise<ClusterStatus | undefined> {
    const { code, stdout } = await runRoost('status', '--data', this.dataDir, '--json')
    return code === 0 ? (JSON.parse(stdout) as { cluster?: ClusterStatus }).cluster : undefined
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const daemon = this.#daemon
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return
    const exited = new Promise(resolve => daemon.once('exit', resolve))
    daemon.kill(signal)
    await exited
  }
}

export class RoostCluster {
  readonly members: readonly ClusterMember[]
  readonly #directory: string

  private constructor(directory: string, members: readonly ClusterMember[]) {
    this.#directory = directory
    this.members = members
  }

  /** Founds a cluster, has the others join, and returns when all copies are kept. */
  static async start(t: Teardown, options: ClusterOptions): Promise<RoostCluster> {
    requireRoot()
    requireFuse()
    const directory = await mkdtemp(join(tmpdir(), 'roost-cluster-'))
    await run('chmod', ['755', directory])
    const count = options.stores + (options.witness === true ? 1 : 0)
    const ports = await freePorts(count)
    const members = ports.map((port, at) => {
      const isWitness = at >= options.stores
      return new ClusterMember(directory, at + 1, port, isWitness, options.mountArgs)
    })
    const cluster = new RoostCluster(directory, members)
    t.teardown(() => cluster.close())
    await cluster.#begin(options)
    return cluster
  }

  get stores(): readonly ClusterMember[] {
    return this.members.filter(({ isWitness }) => !isWitness)
  }

  /** Waits until every member that runs is content, or says what is not. */
  async settle(patienceMs = PATIENCE_MS): Promise<void> {
    const end = performance.now() + patienceMs
    for (;;) {
      const unsettled = await this.#unsettled()
      if (unsettled === undefined) return
      if (performance.now() > end) throw new Error(`the cluster does not settle: ${unsettled}`)
      await pause(200)
    }
  }

  async close(): Promise<void> {
    for (const member of this.members) {
      member.signal('SIGCONT')
      await member.kill()
    }
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #begin({ copies, owner, initArgs = [] }: ClusterOptions): Promise<void> {
    const [founder, ...others] = this.members
    if (founder === undefined) throw new Error('a cluster has members')
    for (const { mountpoint } of this.members) await mkdir(mountpoint)
    const where = ['--data', founder.dataDir, '--listen', founder.address]
    await runWell('init', ...where, '--copies', String(copies), ...initArgs)
    await founder.start()
    if (owner !== undefined) {
      await run('chown', [`${owner}:${owner}`, founder.mountpoint], { timeout: PATIENCE_MS })
    }
    for (const member of others) {
      const token = (await runWell('invite', '--data', founder.dataDir)).trim()
      const role = ['--role', member.isWitness ? 'witness' : 'store']
      const own = ['--data', member.dataDir, '--listen', member.address]
      await runWell('join', token, ...own, ...role)
      await member.start()
    }
    await this.settle()
  }

  async #unsettled(): Promise<string | undefined> {
    const running = this.members.filter(({ isRunning }) => isRunning)
    for (const member of running.filter(({ isWitness }) => !isWitness)) {
      const status = await member.cluster()
      if (status === undefined) return `${member.dataDir} does not answer`
      const { members, isValid, volumesShort } = status
      if (!isValid) return `${member.dataDir} has no majority`
      if (members.length !== this.members.length) return `${members.length} members are known`
      const there = members.filter(({ isAlive, isConnected }) => isAlive && isConnected)
      if (there.length !== running.length) return `${there.length} of ${running.length} are there`
      if (members.some(({ lag }) => lag > 0)) return 'somebody lags'
      if (running.length === this.members.length && volumesShort > 0) return 'copies are missing'
    }
    return undefined
  }
}

async function runWell(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runRoost(...args)
  if (code !== 0) throw new Error(`roost ${args.join(' ')}: ${stderr}`)
  return stdout
}

async function lazyUnmount(mountpoint: string): Promise<void> {
  await run('umount', ['-l', mountpoint], { timeout: PATIENCE_MS }).catch(() => undefined)
}

/** Ports that nobody listens on now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await new Promise(resolve => server.once('listening', resolve))
      return server
    })
  )
  const ports = servers.map(server => (server.address() as { port: number }).port)
  for (const server of servers) server.close()
  return ports
}
