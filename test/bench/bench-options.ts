/** What one run of the benchmark measures, and how much of it. */

import { parseArgs } from 'node:util'
import type { MailFormat } from '../support/dovecot-config.ts'
import type { ContentionSizes } from './contention.ts'
import type { FilesSizes } from './files.ts'
import type { MailboxSizes } from './mailbox.ts'
import type { MicroSizes } from './micro-operations.ts'
import type { ReplicasSizes } from './replicas.ts'
import type { RestartSizes } from './restart.ts'
import type { UpkeepSizes } from './upkeep.ts'

/** In the order of the tables' columns. */
export const TARGET_NAMES = ['ext4', 'fuse-native', 'roost'] as const
export type TargetName = (typeof TARGET_NAMES)[number]

export const PART_NAMES = [
  'micro',
  'deliveries',
  'mailbox',
  'files',
  'contention',
  'upkeep',
  'memory',
  'replicas',
  'restart'
] as const
export type PartName = (typeof PART_NAMES)[number]

export interface BenchOptions {
  readonly targets: readonly TargetName[]
  readonly parts: readonly PartName[]
  readonly formats: readonly MailFormat[]
  readonly clients: readonly number[]
  /** Deliveries of one run with one client; runs with more clients get twice as many. */
  readonly messages: number
  /** Deliveries before each of those runs, which are not measured. */
  readonly warmUp: number
  /** Each figure is the median of so many runs, which take turns between the targets. */
  readonly rounds: number
  readonly sizes: BenchSizes
  /** Files of the store whose daemon's memory is looked at. */
  readonly files: number
  /** Where that store is or shall be, to be used again; else it is made anew each time. */
  readonly store: string | undefined
  /** Where all data lies side by side, unless it is the system's temporary directory. */
  readonly directory: string | undefined
  /** Where the JSON goes besides the terminal. */
  readonly jsonFile: string | undefined
}

/** How much each part does. */
export interface BenchSizes {
  readonly micro: MicroSizes
  readonly mailbox: MailboxSizes
  readonly files: FilesSizes
  readonly contention: ContentionSizes
  readonly upkeep: UpkeepSizes
  readonly replicas: ReplicasSizes
  readonly restart: RestartSizes
}

const FULL: BenchSizes = {
  micro: {
    maildirFiles: 500,
    syncedAppends: 500,
    appends: 20_000,
    files: 2000,
    names: 10_000
  },
  mailbox: { messages: 10_000, flagged: 1000, settleMs: 3000 },
  files: { files: 10_000, largeMib: 256 },
  contention: { bodies: 8192, bodyBytes: 128 * 1024, warmUp: 1000, aloneMs: 5000 },
  upkeep: { messages: 10_000, changes: 1_000_000, settleMs: 15_000 },
  replicas: { entries: 500, moves: 100 },
  restart: { kills: 3, servingMs: 3000 }
}

const QUICK: BenchSizes = {
  micro: {
    maildirFiles: 10,
    syncedAppends: 10,
    appends: 100,
    files: 50,
    names: 200
  },
  mailbox: { messages: 20, flagged: 10, settleMs: 1 },
  files: { files: 50, largeMib: 2 },
  contention: { bodies: 100, bodyBytes: 128 * 1024, warmUp: 10, aloneMs: 500 },
  upkeep: { messages: 10, changes: 1000, settleMs: 1 },
  replicas: { entries: 20, moves: 6 },
  restart: { kills: 1, servingMs: 500 }
}

export const USAGE = `npm run bench -- [options]
  --quick             tiny sizes, to see that everything runs
  --targets LIST      of ext4,fuse-native,roost
  --parts LIST        of ${PART_NAMES.join()}
  --formats LIST      of maildir,sdbox,mdbox
  --clients LIST      numbers of LMTP clients (1,8)
  --messages N        deliveries of each run with one client (400)
  --warm-up N         deliveries before each of those runs (1000)
  --rounds N          runs behind each figure (3)
  --files N           files of the store whose memory is measured (1000000)
  --store DIR         where that store lies or is to be kept, for another run
  --directory DIR     where all data lies, instead of the temporary directory
  --json FILE         also write the JSON there`

/** @throws Error for what `USAGE` does not know */
export function benchOptionsOf(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      targets: { type: 'string', default: TARGET_NAMES.join() },
      parts: { type: 'string', default: PART_NAMES.join() },
      formats: { type: 'string', default: 'maildir,sdbox,mdbox' },
      clients: { type: 'string', default: '1,8' },
      messages: { type: 'string' },
      'warm-up': { type: 'string' },
      rounds: { type: 'string' },
      files: { type: 'string' },
      store: { type: 'string' },
      directory: { type: 'string' },
      json: { type: 'string' }
    }
  })
  return {
    targets: listOf(values.targets, TARGET_NAMES),
    parts: listOf(values.parts, PART_NAMES),
    formats: listOf(values.formats, ['maildir', 'sdbox', 'mdbox']),
    clients: values.clients.split(',').map(countOf),
    messages: countOf(values.messages ?? (values.quick ? '10' : '400')),
    warmUp: countOf(values['warm-up'] ?? (values.quick ? '10' : '1000')),
    rounds: countOf(values.rounds ?? (values.quick ? '1' : '3')),
    sizes: values.quick ? QUICK : FULL,
    files: countOf(values.files ?? (values.quick ? '2000' : '1000000')),
    store: values.store,
    directory: values.directory,
    jsonFile: values.json
  }
}

function listOf<Name extends string>(list: string, known: readonly Name[]): Name[] {
  const wanted = list.split(',')
  const unknown = wanted.filter(name => !known.some(other => other === name))
  if (unknown.length > 0) throw new Error(`${unknown.join()} is none of ${known.join()}\n${USAGE}`)
  return known.filter(name => wanted.includes(name))
}

function countOf(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new Error(`${text} is no count\n${USAGE}`)
  return count
}
