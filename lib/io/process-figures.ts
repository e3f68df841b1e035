/** What the process knows of itself. */
export function processFigures(): { pid: number; memory: { residentBytes: number } } {
  return { pid: process.pid, memory: { residentBytes: process.memoryUsage.rss() } }
}
