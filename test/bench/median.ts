/** The middle one of the runs' figures, of an even number of them the greater of the middle two. */
export function medianOf<Run>(runs: readonly Run[], figure: (run: Run) => number): number {
  const sorted = runs.map(figure).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}
