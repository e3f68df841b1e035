/** What the parts of Roost say while they run. */

import { format } from 'node:util'
import debug from 'debug'

/** Where a part says what it does. One message is one line, without the namespace. */
export interface Logger {
  /** For whoever looks for a fault. */
  debug(message: string): void
  /** For whoever wants to follow. */
  info(message: string): void
  /** Something is not as it should be, and Roost goes on. */
  warn(message: string): void
  /** Something failed. */
  error(message: string): void
}

/**
 * A logger that writes to stderr: warnings and errors always, the rest where the variable DEBUG
 * asks for the namespace, which is 'roost:' and `part`.
 */
export function createLogger(part: string, write: (line: string) => void = toStderr): Logger {
  const namespace = `roost:${part}`
  const chat = debug(namespace)
  chat.log = (...words: unknown[]) => {
    write(format(...words))
  }
  const say = (message: string): void => {
    if (chat.enabled) chat('%s', oneLine(message))
  }
  return {
    debug: say,
    info: say,
    warn: message => {
      write(`${namespace} warning: ${oneLine(message)}`)
    },
    error: message => {
      write(`${namespace} error: ${oneLine(message)}`)
    }
  }
}

/** A line of its own, whatever the message brings along: journals take each line for an event. */
function oneLine(message: string): string {
  return message.trimEnd().replaceAll(/\s*[\r\n]+\s*/g, ' | ')
}

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`)
}
