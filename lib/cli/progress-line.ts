/** One line on a terminal that says how far a verb is; nothing where nobody sees it. */

import type { WriteStream } from 'node:tty'

/** Often enough for the eye. */
const SHOW_MS = 100
const CLEAR_LINE = '\r\x1b[K'

export class ProgressLine {
  readonly #stream: WriteStream
  #shownMs = -SHOW_MS
  #isShown = false

  constructor(stream: WriteStream) {
    this.#stream = stream
  }

  show(text: string): void {
    // Not a terminal, whatever the type says, where the output is redirected.
    if (!this.#stream.isTTY || performance.now() - this.#shownMs < SHOW_MS) return
    this.#shownMs = performance.now()
    this.#isShown = true
    this.#stream.write(`${CLEAR_LINE}${text}`)
  }

  clear(): void {
    if (this.#isShown) this.#stream.write(CLEAR_LINE)
    this.#isShown = false
  }
}

/**
 * Ends the process at once when somebody presses Ctrl-C.
 *
 * @param say a sentence for whoever did
 * @returns what takes that back
 */
export function exitOnInterrupt(
  exitCode: number,
  progress: ProgressLine,
  say = (): string => 'interrupted'
): () => void {
  const leave = (): void => {
    progress.clear()
    process.stderr.write(`roost: ${say()}\n`)
    process.exit(exitCode)
  }
  process.once('SIGINT', leave)
  process.once('SIGTERM', leave)
  return () => {
    process.off('SIGINT', leave)
    process.off('SIGTERM', leave)
  }
}
