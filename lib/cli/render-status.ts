/** The status for people. */

import type { ClusterStatus } from '../host/cluster-report.ts'
import type { Status } from '../host/status.ts'

/** The status as lines for people. */
export function renderStatus(status: Status): string {
  const lines = [`data directory  ${status.dataDirectory} (format ${status.format})`]
  if (status.state === 'not mounted') lines.push('state           not mounted')
  else lines.push(...servingLines(status))
  for (const warning of status.warnings) lines.push(`warning         ${warning}`)
  for (const { reason } of status.damagedBodies) lines.push(`damaged         ${reason}`)
  return `${lines.join('\n')}\n`
}

function servingLines(status: Status): string[] {
  const { pid, mountpoint, supervisor, uptimeSeconds = 0, log, disk, fuse, cluster } = status
  const uptime = `${Math.round(uptimeSeconds)} s, pid ${pid ?? 0}`
  const lines = [`state           serving ${mountpoint ?? ''} for ${uptime}`]
  if (supervisor !== undefined) {
    const times = supervisor.restarts === 1 ? 'once' : `${supervisor.restarts} times`
    const restarts = supervisor.restarts === 0 ? 'never started again' : `started again ${times}`
    lines.push(`supervisor      pid ${supervisor.pid}, ${restarts}`)
  }
  if (log !== undefined) {
    const unsynced = log.appended - log.durable
    const unapplied = log.durable - log.applied
    lines.push(`log             ${unsynced} bytes not synced, ${unapplied} bytes not applied`)
  }
  if (disk !== undefined) {
    lines.push(`disk            ${mib(disk.freeBytes)} of ${mib(disk.totalBytes)} MiB free`)
  }
  if (fuse !== undefined) {
    const total = Object.values(fuse.requests).reduce((sum, count) => sum + count, 0)
    lines.push(`requests        ${total}, ${fuse.errors} failed for an unknown reason`)
  }
  if (cluster !== undefined) lines.push(...clusterLines(cluster))
  return lines
}

function clusterLines(cluster: ClusterStatus): string[] {
  const { replica, session, isValid, leader, members, volumesHeld, volumesShort } = cluster
  const there = members.filter(({ isAlive }) => isAlive).length
  const word = isValid ? 'may answer' : 'has no majority'
  return [
    `replica         ${replica} (session ${session}, ${word}); replica ${leader} leads the council`,
    `members         ${there} of ${members.length} there`,
    `volumes         ${volumesHeld} held here, ${volumesShort} with too few copies`
  ]
}

function mib(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}
