import type { HistoryPoint } from '../council/lease-record.ts'
import type { VolumeId } from '../ids.ts'
import { VOLUME_RANGE } from '../store/keys.ts'
import { decodeVolume } from '../store/records.ts'
import type { StoreReader } from '../store/store.ts'
import type { VolumeRecord } from '../tree/volume-record.ts'

export interface VolumeHead {
  readonly volume: VolumeId
  readonly head: HistoryPoint
}

/** Where each volume stands, of a store that is served or of one that is not. */
export async function headsIn(store: Pick<StoreReader, 'range'>): Promise<VolumeHead[]> {
  const found = await store.range(...VOLUME_RANGE, Infinity)
  return found.map(([, value]) => {
    const record = decodeVolume(value)
    return { volume: record.volume, head: headOf(record) }
  })
}

/** Where the history goes on behind a volume's record. */
export function headOf({ epoch, index, hash }: VolumeRecord): HistoryPoint {
  return { epoch, index, hash: hash.toString('hex') }
}
