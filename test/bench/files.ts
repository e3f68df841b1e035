/** Measures what programs other than mail servers do: listing a large folder, and reading. */

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runChild, runCommand } from './bench-command.ts'
import type { BenchTarget } from './bench-target.ts'
import type { Figure } from './figure.ts'
import { requestsPerUnit } from './round-trips.ts'

const CHILD = fileURLToPath(new URL('./files-child.ts', import.meta.url))

export interface FilesSizes {
  /** Of 8 KB each, in one folder. */
  readonly files: number
  /** Of one more file, in MiB. */
  readonly largeMib: number
}

interface Done {
  readonly count: number
  readonly seconds: number
}

export async function measureFiles(target: BenchTarget, sizes: FilesSizes): Promise<Figure[]> {
  const directory = join(target.directory, `files-${randomUUID()}`)
  await runCommand('mkdir', [directory])
  const run = async (task: string): Promise<Done> =>
    JSON.parse(await runChild(CHILD, [task, directory, JSON.stringify(sizes)])) as Done
  const counted = async (task: string): Promise<Done & Pick<Figure, 'requests'>> => {
    const before = await target.requests()
    const done = await run(task)
    const units = task === 'read' ? sizes.files : 1
    return { ...done, requests: requestsPerUnit(before, await target.requests(), units) }
  }
  try {
    await run('make')
    await target.chill()
    const list = await counted('list')
    await run('read')
    const read = await counted('read')
    await run('stream')
    const stream = await counted('stream')
    return [
      {
        name: `ls -l, cold, of ${String(sizes.files)} files`,
        unit: 'ms',
        value: list.seconds * 1000,
        requests: list.requests
      },
      {
        name: 'open, read 8 KB, close, warm',
        unit: '/s',
        value: read.count / read.seconds,
        requests: read.requests
      },
      {
        name: `sequential read, warm, of ${String(sizes.largeMib)} MiB`,
        unit: 'MB/s',
        value: stream.count / stream.seconds / 1e6,
        requests: stream.requests
      }
    ]
  } finally {
    await runCommand('rm', ['-rf', directory])
  }
}
