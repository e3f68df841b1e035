/** Figures that have a goal: what a mail store may cost beside the disk's own filesystem. */

import type { TargetName } from './bench-options.ts'
import type { RequestCounts } from './bench-target.ts'

/** One figure as one target has it. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly value: number
  /** Requests for each thing done, by opcode, where the target counts them. */
  readonly requests?: RequestCounts | undefined
}

/** What Roost's figure, or where `of` says so its ratio to ext4's, shall not miss. */
export interface Goal {
  readonly of: 'ratio' | 'value'
  readonly atMost?: number
  readonly atLeast?: number
}

export interface FigureRow {
  readonly part: string
  readonly name: string
  readonly unit: string
  readonly targets: Readonly<Partial<Record<TargetName, Figure>>>
  /** Roost's figure divided by ext4's, where both were measured. */
  readonly ratio: number | undefined
  readonly goal: Goal | undefined
  /** Undefined where there is no goal, or not what it takes to judge. */
  readonly isMet: boolean | undefined
}

/** Beginnings of names, the first that fits: a name may go on with how much was done. */
const GOALS: readonly (readonly [string, Goal])[] = [
  ['SELECT', { of: 'ratio', atMost: 2 }],
  ['FETCH', { of: 'ratio', atLeast: 0.8 }],
  ['STORE', { of: 'ratio', atMost: 3 }],
  ['ls -l, cold', { of: 'ratio', atMost: 3 }],
  ['open, read 8 KB, close', { of: 'ratio', atLeast: 0.2 }],
  ['sequential read, warm', { of: 'ratio', atLeast: 0.8 }],
  ['deliveries kept beside a reader', { of: 'value', atLeast: 0.7 }],
  ['log and store beside the live data', { of: 'value', atMost: 3 }],
  ['durable on two of three, median', { of: 'value', atMost: 3 }],
  ['durable beside bare on both sides', { of: 'value', atMost: 3 }],
  ['lease of an idle volume, median', { of: 'value', atMost: 8 }],
  ['deliveries beside ext4', { of: 'value', atLeast: 0.5 }],
  ['kill -9, until', { of: 'value', atMost: 2 }]
]

/** @param figures the same figure of each target that was measured */
export function figureRowOf(
  part: string,
  { name, unit }: Figure,
  targets: FigureRow['targets']
): FigureRow {
  const { ext4, roost } = targets
  const ratio = ext4 && roost && roost.value / ext4.value
  const goal = GOALS.find(([beginning]) => name.startsWith(beginning))?.[1]
  return { part, name, unit, targets, ratio, goal, isMet: isMet(goal, ratio, roost?.value) }
}

export function describeGoal({ of, atMost, atLeast }: Goal): string {
  const bound = atMost === undefined ? `>= ${String(atLeast)}` : `<= ${String(atMost)}`
  return of === 'ratio' ? `ratio ${bound}` : bound
}

function isMet(
  goal: Goal | undefined,
  ratio: number | undefined,
  value: number | undefined
): boolean | undefined {
  const judged = goal?.of === 'ratio' ? ratio : value
  if (goal === undefined || judged === undefined) return undefined
  return judged <= (goal.atMost ?? Infinity) && judged >= (goal.atLeast ?? -Infinity)
}
