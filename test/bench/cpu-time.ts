/** Processor time that processes have used, from /proc. */

import { readFileSync, readdirSync } from 'node:fs'

/** USER_HZ, which is 100 on every Linux that Node.js runs on. */
const MS_PER_TICK = 10

interface ProcessTimes {
  readonly group: number
  /** Of the process with all its threads, and of the children it has waited for. */
  readonly ms: number
}

/** Time used by a process group, with those of it that have ended. */
export function cpuMsOfGroup(group: number): number {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return pids
    .map(pid => timesOf(pid))
    .filter(times => times?.group === group)
    .reduce((sum, times) => sum + (times?.ms ?? 0), 0)
}

export function cpuMsOfProcess(pid: number): number {
  return timesOf(String(pid))?.ms ?? 0
}

/** Time that this process has used. */
export function ownCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Time that all processors of the machine were busy, whoever kept them so. */
export function busyCpuMs(): number {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n')
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line
    .split(/ +/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq) * MS_PER_TICK
}

function timesOf(pid: string): ProcessTimes | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The name, in parentheses, may hold anything; the state follows, field 3 of proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { group: Number(fields[2]), ms: ticks * MS_PER_TICK }
}
