/** Requests to the council as bytes: a session's number for it, and the command. */

import { RoostError } from '../errors.ts'
import { VOLUME_ID_MAX, type Epoch, type ReplicaId, type SessionId, type VolumeId } from '../ids.ts'
import { unreachable } from '../util/assert.ts'
import type { ByteReader, ByteWriter } from '../util/bytes.ts'
import type {
  Command,
  CommandKind,
  CouncilRequest,
  VolumeClaim,
  VolumeRelease,
  VolumeResize
} from './command.ts'
import {
  putFlag,
  putList,
  putPoint,
  putReplicas,
  putWord,
  ROLES,
  takeFlag,
  takeList,
  takePoint,
  takeReplicas,
  takeWord
} from './council-fields.ts'

/** Numbers of these on disk are their places here; new ones go to the end. */
const KINDS: readonly CommandKind[] = [
  'open',
  'end',
  'claim',
  'grant',
  'release',
  'resize',
  'force',
  'addMember',
  'removeMember',
  'setVoter'
]

export function putRequest(out: ByteWriter, request: CouncilRequest): void {
  out.u32(request.session)
  out.u53(request.number)
  out.u53(request.settled)
  putCommand(out, request.command)
}

/** @throws RoostError PROTOCOL */
export function takeRequest(input: ByteReader): CouncilRequest {
  return {
    session: input.u32() as SessionId | 0,
    number: input.u53(),
    settled: input.u53(),
    command: takeCommand(input)
  }
}

function putCommand(out: ByteWriter, command: Command): void {
  putWord(out, KINDS, command.kind)
  switch (command.kind) {
    case 'open':
      out.u32(command.replica)
      out.text(command.storeId)
      out.u53(command.boot)
      return out.text(command.nonce)
    case 'end':
      return out.u32(command.ended)
    case 'claim':
      return putList(out, command.volumes, claim => putClaim(out, claim))
    case 'grant':
      putClaim(out, command)
      putPoint(out, command.base)
      return out.u32(command.to)
    case 'release':
      return putList(out, command.volumes, release => {
        putClaim(out, release)
        putPoint(out, release.base)
      })
    case 'resize':
      return putList(out, command.volumes, resize => putResize(out, resize))
    case 'force':
      out.u32(command.volume)
      return putDataSet(out, command)
    case 'addMember':
      out.u32(command.replica)
      out.text(command.key)
      out.text(command.storeId)
      return putWord(out, ROLES, command.role)
    case 'removeMember':
      return out.u32(command.replica)
    case 'setVoter':
      out.u32(command.replica)
      return putFlag(out, command.isVoter)
    default:
      return unreachable(command)
  }
}

function takeCommand(input: ByteReader): Command {
  const kind = takeWord(input, KINDS)
  switch (kind) {
    case 'open':
      return {
        kind,
        replica: takeReplica(input),
        storeId: input.text(),
        boot: input.u53(),
        nonce: input.text()
      }
    case 'end':
      return { kind, ended: input.u32() as SessionId }
    case 'claim':
      return { kind, volumes: takeList(input, () => takeClaim(input)) }
    case 'grant':
      return {
        kind,
        ...takeClaim(input),
        base: takePoint(input),
        to: input.u32() as SessionId
      }
    case 'release':
      return { kind, volumes: takeList(input, () => takeRelease(input)) }
    case 'resize':
      return { kind, volumes: takeList(input, () => takeResize(input)) }
    case 'force':
      return { kind, volume: takeVolume(input), ...takeDataSet(input) }
    case 'addMember':
      return {
        kind,
        replica: takeReplica(input),
        key: input.text(),
        storeId: input.text(),
        role: takeWord(input, ROLES)
      }
    case 'removeMember':
      return { kind, replica: takeReplica(input) }
    case 'setVoter':
      return { kind, replica: takeReplica(input), isVoter: takeFlag(input) }
    default:
      return unreachable(kind)
  }
}

function putClaim(out: ByteWriter, { volume, epoch }: VolumeClaim): void {
  out.u32(volume)
  out.u32(epoch)
}

function takeClaim(input: ByteReader): VolumeClaim {
  return { volume: takeVolume(input), epoch: input.u32() as Epoch }
}

function takeRelease(input: ByteReader): VolumeRelease {
  return { ...takeClaim(input), base: takePoint(input) }
}

function putResize(out: ByteWriter, resize: VolumeResize): void {
  putClaim(out, resize)
  putDataSet(out, resize)
}

function takeResize(input: ByteReader): VolumeResize {
  return { ...takeClaim(input), ...takeDataSet(input) }
}

type DataSet = Pick<VolumeResize, 'dataSet' | 'copies'>

function putDataSet(out: ByteWriter, { dataSet, copies }: DataSet): void {
  putReplicas(out, dataSet)
  out.u32(copies)
}

function takeDataSet(input: ByteReader): DataSet {
  return { dataSet: takeReplicas(input), copies: input.u32() }
}

/** Replica 0 would be taken for nobody. */
function takeReplica(input: ByteReader): ReplicaId {
  const replica = input.u32()
  if (replica === 0) throw new RoostError('PROTOCOL', 'a command about replica 0')
  return replica as ReplicaId
}

function takeVolume(input: ByteReader): VolumeId {
  const volume = input.u32()
  if (volume > VOLUME_ID_MAX) throw new RoostError('PROTOCOL', `a command about volume ${volume}`)
  return volume as VolumeId
}
