/** Whether all is well with a store, in one line and one number, as monitoring plugins have it. */

import type { Status } from './status.ts'

/** Something that is not as it should be. */
export interface Concern {
  /** 'critical' where somebody has to act: nothing can be written, or more is about to be lost. */
  readonly severity: 'warning' | 'critical'
  /** For people. */
  readonly text: string
}

export interface Verdict {
  readonly level: 'OK' | 'WARNING' | 'CRITICAL' | 'UNKNOWN'
  readonly exitCode: 0 | 1 | 2 | 3
  readonly text: string
}

export function verdictOf(status: Status): Verdict {
  const { state, concerns, damagedBodies, dataDirectory } = status
  if (state === 'not mounted') return unknownVerdict(`no daemon serves ${dataDirectory}`)
  const damaged = damagedBodies.map(({ reason }) => reason)
  const critical = concerns.filter(({ severity }) => severity === 'critical')
  const texts = [...critical, ...concerns.filter(concern => !critical.includes(concern))]
  const text = [...texts.map(concern => concern.text), ...damaged].join('; ')
  if (critical.length > 0) return { level: 'CRITICAL', exitCode: 2, text }
  if (text !== '') return { level: 'WARNING', exitCode: 1, text }
  return { level: 'OK', exitCode: 0, text: wellOf(status) }
}

/** Where nobody can say how it is. */
export function unknownVerdict(text: string): Verdict {
  return { level: 'UNKNOWN', exitCode: 3, text }
}

/** Of the log and of the store behind it. */
export function logConcerns(isLogBroken: boolean, storeFailure: string | undefined): Concern[] {
  const concerns: Concern[] = []
  if (isLogBroken) {
    const text = 'the log cannot be written to the disk, so every write fails; look at the disk'
    concerns.push({ severity: 'critical', text: `${text}, and mount again` })
  }
  if (storeFailure === undefined) return concerns
  const isFull = /DISK_FULL|ENOSPC|no space/i.test(storeFailure)
  const why = isFull ? 'the disk is full; make room on it' : withoutCode(storeFailure)
  const text = `what is written cannot be brought from the log into the store: ${why}`
  return [...concerns, { severity: 'critical', text }]
}

function wellOf({ state, mountpoint = '', cluster }: Status): string {
  const what = state === 'voting' ? 'votes' : `serves ${mountpoint}`
  if (cluster === undefined) return what
  const { replica, members } = cluster
  return `replica ${replica} ${what}, and all ${members.length} members are there`
}

function withoutCode(failure: string): string {
  return failure.replace(/^RoostError: (?:[A-Z_]+: ?)?/, '')
}
