/** A full disk: nothing acknowledged is lost, deletions work, all goes on when there is room. */

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { mountRoost, PLAINLY, type RoostMount } from '../support/roost-mount.ts'
import { shell, shellOk } from './place.ts'
import { Ballast, smallDiskFor } from './small-disk.ts'

const WRITER = fileURLToPath(new URL('disk-writer.mjs', import.meta.url))
/** A writer that stands still for so long has hung. */
const PATIENCE_MS = 120_000
const LOOK_MS = 50

t.setTimeout(300_000)

/** A process that writes or checks files in a directory of the mount. */
class Writer {
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  /** Numbers of the files that are durable. */
  readonly durable: number[] = []
  /** What it said otherwise. */
  readonly lines: string[] = []

  constructor(t: Test, ...args: readonly string[]) {
    const [program, ...words] = [...PLAINLY, process.execPath, WRITER, ...args]
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] })
    const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
    t.teardown(() => child.kill('SIGKILL'))
    this.#child = child
    this.#closed = once(child, 'close').finally(() => {
      clearTimeout(patience)
    })
    let rest = ''
    child.stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.#take(line)
    })
  }

  /** Hands over what it reads; it ends then, or at the end of its work. */
  async end(input = ''): Promise<this> {
    this.#child.stdin?.end(input)
    await this.#closed
    return this
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  #take(line: string): void {
    const [, number] = /^ok (\d+)$/.exec(line) ?? []
    if (number === undefined) this.lines.push(line)
    else this.durable.push(Number(number))
  }
}

interface Full {
  readonly mount: RoostMount
  readonly disk: string
  /** Of a user, in the mount. */
  readonly directory: string
}

async function storeOnSmallDisk(t: Test): Promise<Full> {
  const disk = await smallDiskFor(t, 256)
  await mkdir(join(disk, 'store'))
  const mount = await mountRoost(t, { directory: join(disk, 'store') })
  const directory = join(mount.mountpoint, 'user')
  await shellOk('mkdir "$1"', directory)
  return { mount, disk, directory }
}

async function checkAll(
  t: Test,
  { directory }: Full,
  numbers: number[],
  when: string
): Promise<void> {
  const { lines } = await new Writer(t, 'check', directory).end(numbers.join(' '))
  t.strictSame(lines, [], `every durable file has its bytes ${when}`)
}

async function until(task: () => Promise<boolean> | boolean): Promise<boolean> {
  const end = performance.now() + PATIENCE_MS
  while (!(await task())) {
    if (performance.now() > end) return false
    await pause(LOOK_MS)
  }
  return true
}

/** Renames one durable file and deletes another. @returns the numbers of those left untouched */
async function renameAndDelete(t: Test, { directory }: Full, numbers: number[]): Promise<number[]> {
  const [renamed, deleted, ...rest] = numbers
  const words = [directory, String(renamed), String(deleted)]
  const seen = await shell('cd "$1" && mv "f.$2" moved && mv moved "f.$2" && rm "f.$3"', ...words)
  t.match(seen, { code: 0, stderr: /^$/ }, 'rename and unlink work on the full disk')
  return renamed === undefined ? rest : [renamed, ...rest]
}

t.test(
  'a store that is filled refuses before it promises, and goes on after deletions',
  async t => {
    const full = await storeOnSmallDisk(t)
    const { mount, directory } = full
    const filled = await new Writer(t, 'write', directory, '0').end()
    const bytes = await shellOk('du -sb "$1" | cut -f 1', directory)
    t.comment(`${String(filled.durable.length)} files, ${bytes.trim()} bytes`)
    t.ok(filled.durable.length > 50, 'there was room for some')
    t.match(filled.lines, [/^ENOSPC (?:write|open)$/], 'ENOSPC comes when bytes are handed over')
    let numbers = await renameAndDelete(t, full, filled.durable)
    await checkAll(t, full, numbers, 'on the full disk')

    await mount.kill()
    await mount.restart()
    await checkAll(t, full, numbers, 'after kill -9')
    numbers = await renameAndDelete(t, full, numbers)

    const half = numbers.filter(number => number % 2 === 0)
    const gone = numbers.filter(number => number % 2 === 1)
    await shellOk(`cd "$1" && rm ${gone.map(number => `f.${String(number)}`).join(' ')}`, directory)
    const again: number[] = []
    const next = (): string => String(1_000_000 + again.length)
    const hasRoom = await until(async () => {
      again.push(...(await new Writer(t, 'write', directory, next()).end()).durable)
      return again.length > 20
    })
    t.ok(hasRoom, 'there is room again')
    await checkAll(t, full, [...half, ...again], 'after deletions')
    t.equal(await mount.stop(), 0)
    await mount.restart()
    await checkAll(t, full, [...half, ...again], 'after a restart')
    t.strictSame((await mount.status()).warnings, [])
  }
)

t.test('a disk that others fill stops writing, until they make room', async t => {
  const full = await storeOnSmallDisk(t)
  const { mount, disk, directory } = full
  const ballast = new Ballast(disk)
  const pid = mount.pid
  const writer = new Writer(t, 'go-on', directory, '0')
  t.ok(await until(() => writer.durable.length > 10), 'writing works')
  await ballast.fill()
  t.ok(await until(() => writer.lines.length > 20 || !writer.isRunning), 'then it is refused')
  const before = writer.durable.length
  let numbers = await renameAndDelete(t, full, writer.durable.slice(0, before))
  await checkAll(t, full, numbers, 'on the full disk')

  await ballast.release()
  t.ok(await until(() => writer.durable.length > before + 20), 'it goes on by itself')
  await writer.end()
  t.comment(mount.errors())
  t.comment(`${String(before)} files, ${String(writer.lines.length)} refusals, then more`)
  t.strictSame(new Set(writer.lines.map(line => line.split(' ')[0])), new Set(['ENOSPC']))
  numbers = [...numbers, ...writer.durable.slice(before)]
  await checkAll(t, full, numbers, 'when there is room again')
  t.equal(mount.pid, pid, 'the daemon is the same')
  t.ok(await until(async () => (await mount.status()).warnings.length === 0), 'it is content')

  await mount.kill()
  await mount.restart()
  await checkAll(t, full, numbers, 'after kill -9')
})

t.test('a daemon that dies on a full disk loses nothing', async t => {
  const full = await storeOnSmallDisk(t)
  const { mount, disk, directory } = full
  const ballast = new Ballast(disk)
  const writer = new Writer(t, 'go-on', directory, '0')
  t.ok(await until(() => writer.durable.length > 10))
  await ballast.fill()
  t.ok(await until(() => writer.lines.length > 20 || !writer.isRunning))
  await writer.end()
  await mount.kill()
  await t.rejects(mount.restart(), /ENOSPC|no space left/i, 'without room it does not start')
  await ballast.release()
  await mount.restart()
  await checkAll(t, full, writer.durable, 'when there is room again')
})
