/** What the process knows of itself. */
export function processFigures(): { pid: number; memory: { residentBytes: number } } {
  return { pid: process.pid, memory: { residentBytes: process.memoryUsage.rss() } }
}

/** Seconds of processor time that the process has used, in all its threads. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
