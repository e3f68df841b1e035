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
  const does =
    status.state === 'voting' ? 'votes, and keeps no mail,' : `serving ${mountpoint ?? ''}`
  const lines = [`state           ${does} for ${uptime}`]
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
  if (cluster !== undefined && status.state === 'serving') lines.push(volumesLine(cluster))
  return lines
}

function clusterLines(cluster: ClusterStatus): string[] {
  const { replica, session, isValid, leader, members } = cluster
  const there = members.filter(({ isAlive }) => isAlive).length
  const word = isValid ? 'may answer' : 'hears no majority of the voters'
  return [
    `replica         ${replica} (session ${session}, ${word}); replica ${leader} leads the council`,
    `members         ${there} of ${members.length} there`
  ]
}

function volumesLine({ volumesHeld, volumesShort }: ClusterStatus): string {
  return `volumes         ${volumesHeld} held here, ${volumesShort} with too few copies`
}

function mib(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}
