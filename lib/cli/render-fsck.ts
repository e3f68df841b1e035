/** A report of fsck for people. */

import type { FsckReport } from '../fsck/fsck.ts'

const KIND_WIDTH = 19

export function renderFsck(directory: string, { figures, problems, notes }: FsckReport): string {
  const lines: string[] = []
  for (const { kind, text, paths, repaired } of problems) {
    lines.push(`${kind.padEnd(KIND_WIDTH)}${text}${repaired ? ' (repaired)' : ''}`)
    for (const path of paths) lines.push(`${' '.repeat(KIND_WIDTH)}${path}`)
  }
  for (const note of notes) lines.push(`${'note'.padEnd(KIND_WIDTH)}${note}`)
  const { entries, volumes, inodes, names, bodies, bytes } = figures
  const tree = `${volumes} volumes, ${inodes} inodes, ${names} names`
  const looked = `${entries} entries of the log, ${tree}, ${bodies} bodies (${mib(bytes)} MiB)`
  const repaired = problems.filter(problem => problem.repaired).length
  const left = problems.length - repaired
  lines.push(`${directory}: ${looked}: ${outcomeOf(repaired, left)}`)
  return `${lines.join('\n')}\n`
}

function outcomeOf(repaired: number, left: number): string {
  if (repaired === 0 && left === 0) return 'all is well'
  const said = []
  if (repaired > 0) said.push(`${repaired} repaired`)
  if (left > 0) said.push(`${left} ${left === 1 ? 'problem' : 'problems'} left`)
  return said.join(', ')
}

function mib(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20)
}
