import t from 'tap'
import { ratesSince, type Stats } from '../../lib/stats.ts'

function statsAt(uptimeSeconds: number, requests: Stats['requests'], scale: number): Stats {
  return {
    dataDirectory: '/data',
    mountpoint: '/mnt',
    mode: 'single',
    pid: 1,
    session: 1,
    uptimeSeconds,
    cpuSeconds: scale,
    requests,
    unknownErrors: 0,
    waits: { name: 2 * scale },
    open: { handles: 0, locks: 0, parked: 0, unsealed: 0, views: 0 },
    memory: {
      residentBytes: 0,
      inodes: 0,
      metadataBytes: 0,
      metadataBytesMax: 0,
      contentBytes: 0,
      contentBytesMax: 0,
      bodyBytes: 0,
      bodyBytesMax: 0,
      stagingBytes: 0
    },
    log: {
      entries: 10 * scale,
      appended: 100 * scale,
      durable: 0,
      applied: 0,
      checkpointed: 0,
      bytesOnDisk: 0
    },
    store: { bytesOnDisk: 0, garbage: 0 },
    disk: { freeBytes: 0, totalBytes: 0 },
    damagedBodies: []
  }
}

t.test('rates are those since the look before', async t => {
  const rates = ratesSince(statsAt(10, { READ: 100 }, 1), statsAt(12, { READ: 110, WRITE: 4 }, 2))
  t.strictSame(rates, {
    seconds: 2,
    requests: { READ: 5, WRITE: 2 },
    waits: { name: 1 },
    entries: 5,
    loggedBytes: 50,
    cpus: 0.5
  })
})

t.test('without a look before they are those since the start', async t => {
  t.match(ratesSince(undefined, statsAt(10, { READ: 100 }, 1)), {
    seconds: 10,
    requests: { READ: 10 }
  })
  t.strictSame(ratesSince(undefined, statsAt(0, { READ: 1 }, 1)).requests, { READ: 0 })
})
