/** What a volume's proposal is in the council's words. */

import type { Command } from '../council/command.ts'
import type { VolumeId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import type { VolumeProposal } from './volume-io.ts'

export function proposedCommand(volume: VolumeId, proposal: VolumeProposal): Command {
  const { epoch } = proposal
  switch (proposal.kind) {
    case 'claim':
      return { kind: 'claim', volumes: [{ volume, epoch }] }
    case 'grant':
      return { kind: 'grant', volume, epoch, base: proposal.base, to: proposal.to }
    case 'release':
      return { kind: 'release', volumes: [{ volume, epoch, base: proposal.base }] }
    case 'resize': {
      const { dataSet, copies } = proposal
      return { kind: 'resize', volumes: [{ volume, epoch, dataSet, copies }] }
    }
    default:
      return unreachable(proposal)
  }
}
