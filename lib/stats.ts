/** Figures of a running daemon, and what happened between two looks at them. */

/** Counters count since the mount began to serve; bytes of the log are those of the session's. */
export interface Stats {
  readonly dataDirectory: string
  readonly mountpoint: string
  readonly mode: string
  readonly pid: number
  readonly session: number
  readonly uptimeSeconds: number
  readonly cpuSeconds: number
  /** What the kernel asked, by the names of the opcodes. */
  readonly requests: Readonly<Record<string, number>>
  /** Requests that failed for a reason that Roost does not know. */
  readonly unknownErrors: number
  /** What was not in memory and had to be asked for, or written first, by kind. */
  readonly waits: Readonly<Record<string, number>>
  /** Now, not since the start. */
  readonly open: {
    readonly handles: number
    readonly locks: number
    /** Requests that wait. */
    readonly parked: number
    /** Files with bytes that are not in the log yet. */
    readonly unsealed: number
    /** Views for tools, such as an export. */
    readonly views: number
  }
  readonly memory: {
    readonly residentBytes: number
    /** Files and directories whose names and attributes are in memory. */
    readonly inodes: number
    /** What those take, and how much of it may stay. */
    readonly metadataBytes: number
    readonly metadataBytesMax: number
    /** Of index and control files, and how much of that may stay. */
    readonly contentBytes: number
    readonly contentBytesMax: number
    /** Of bodies, in both threads that keep some. Those on their way to the disk come on top. */
    readonly bodyBytes: number
    readonly bodyBytesMax: number
    readonly stagingBytes: number
  }
  readonly log: {
    /** Changes recorded. */
    readonly entries: number
    readonly appended: number
    readonly durable: number
    readonly applied: number
    /** What the last checkpoint has made needless. */
    readonly checkpointed: number
    readonly bytesOnDisk: number
  }
  readonly store: {
    readonly bytesOnDisk: number
    /** Files that the next checkpoint deletes. */
    readonly garbage: number
    /** Why it is behind the log, if it is. */
    readonly failure?: string
  }
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number }
  /** Bodies that could not be read since the start, and why. */
  readonly damagedBodies: readonly { readonly blob: string; readonly reason: string }[]
}

/** What happened in a second, on an average over `seconds`. */
export interface Rates {
  readonly seconds: number
  readonly requests: Readonly<Record<string, number>>
  readonly waits: Readonly<Record<string, number>>
  readonly entries: number
  readonly loggedBytes: number
  /** Processors in use: 1 is one of them all the time. */
  readonly cpus: number
}

/** @param before an earlier look at the same daemon; without one, since the mount began to serve */
export function ratesSince(before: Stats | undefined, now: Stats): Rates {
  const seconds = now.uptimeSeconds - (before?.uptimeSeconds ?? 0)
  const rate = (count: number, earlier = 0): number =>
    seconds > 0 ? (count - earlier) / seconds : 0
  const rates = (counts: Stats['requests'], earlier: Stats['requests'] = {}): Stats['requests'] =>
    Object.fromEntries(
      Object.entries(counts).map(([name, count]) => [name, rate(count, earlier[name])])
    )
  return {
    seconds,
    requests: rates(now.requests, before?.requests),
    waits: rates(now.waits, before?.waits),
    entries: rate(now.log.entries, before?.log.entries),
    loggedBytes: rate(now.log.appended, before?.log.appended),
    cpus: rate(now.cpuSeconds, before?.cpuSeconds)
  }
}
