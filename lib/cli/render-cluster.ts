/** A cluster as lines for people. */

import type { LeaseReport, MemberReport, VolumeReport } from '../host/cluster-report.ts'

export function renderMembers(members: readonly MemberReport[]): string {
  const rows = members.map(member => [
    `${member.replica}${member.isSelf ? ' (here)' : ''}`,
    member.role,
    `${member.isAlive ? 'there' : 'away'}${partOf(member)}`,
    member.isSelf ? '' : (member.address ?? 'no address'),
    linkOf(member),
    member.lag === 0 ? '' : `lacks ${member.lag} entries`
  ])
  return table([['replica', 'role', 'state', 'address', 'link', 'lag'], ...rows])
}

export function renderLeases(leases: readonly LeaseReport[]): string {
  const rows = leases.map(({ volume, name, holder, epoch, dataSet, copies }) => [
    `${volume}`,
    name ?? (volume === 0 ? '(root)' : ''),
    holder === undefined ? 'nobody' : `${holder}`,
    `${epoch}`,
    `${copies} of ${dataSet.join(',')}`
  ])
  return table([['volume', 'name', 'holder', 'epoch', 'copies'], ...rows])
}

export function renderVolume(report: VolumeReport): string {
  const { volume, name, holder, epoch, dataSet, copies, here } = report
  const lines = [
    `volume        ${volume} (${name ?? ''})`,
    `held by       ${holder === undefined ? 'nobody' : `replica ${holder}`}, epoch ${epoch}`,
    `copies        ${copies} of replicas ${dataSet.join(', ')}`
  ]
  if (here === undefined) lines.push('here          nothing has asked for it since the start')
  else {
    const { phase, head, durable, acknowledged, followers, locks } = here
    lines.push(
      `here          ${phase}, entry ${head}, ${head - durable} not durable`,
      `acknowledged  entry ${acknowledged}, ${head - acknowledged} are not`,
      `locked        ${locks} files`
    )
    for (const [replica, acked] of followers) {
      lines.push(`replica ${replica}     has entry ${acked}, lacks ${head - acked}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function partOf({ leads, votes }: MemberReport): string {
  if (leads) return ', leads'
  return votes ? ', votes' : ''
}

function linkOf({ isSelf, isConnected, link, roundTripMs, refusal }: MemberReport): string {
  if (isSelf) return ''
  if (refusal !== undefined) return `refused: ${refusal}`
  if (!isConnected) return 'not connected'
  return `${link ?? ''} ${roundTripMs === undefined ? '' : `${roundTripMs.toFixed(1)} ms`}`
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map(row => (row[at] ?? '').length))
  )
  const lines = rows.map(row => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '))
  return `${lines.map(line => line.trimEnd()).join('\n')}\n`
}
