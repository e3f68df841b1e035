/** Sizes and times as people write them. */

const SIZE_UNITS = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }
const TIME_UNITS = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }

/** Bytes: a whole number with KiB, MiB, GiB or TiB behind it, or nothing. */
export function parseSize(text: string): number | undefined {
  return parseAmount(text, SIZE_UNITS)
}

/** Milliseconds: a whole number with ms, s, min or h behind it. */
export function parseDuration(text: string): number | undefined {
  return parseAmount(text, TIME_UNITS)
}

export function formatSize(bytes: number): string {
  return formatAmount(bytes, SIZE_UNITS)
}

export function formatDuration(ms: number): string {
  return formatAmount(ms, TIME_UNITS)
}

function parseAmount(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits = '', unit = ''] = /^(\d+) ?([A-Za-z]*)$/.exec(text) ?? []
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined
  if (digits === '' || factor === undefined) return undefined
  const amount = Number(digits) * factor
  return Number.isSafeInteger(amount) ? amount : undefined
}

/** In the largest unit that leaves a whole number. */
function formatAmount(amount: number, units: Readonly<Record<string, number>>): string {
  let [best, bestFactor] = Object.entries(units)[0] ?? ['', 1]
  for (const [unit, factor] of Object.entries(units)) {
    if (amount > 0 && amount % factor === 0) [best, bestFactor] = [unit, factor]
  }
  return `${amount / bestFactor}${best}`
}
