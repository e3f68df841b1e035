/**
 * What Dovecot's log says of trouble, in a form in which two runs can be compared.
 */

/** What differs between two runs although they did the same. */
export interface Peculiarities {
  readonly mailRoot: string
  readonly stateDir: string
  readonly hostname: string
}

const TROUBLE = /\b(?:Error|Warning|Panic|Fatal): /

/** Every stop of Dovecot is logged as a warning; it is the tests' doing. */
const OWN_DOING = /^master: Warning: Killed with signal 15 /

/** The lines of trouble, without times, ids and numbers; each once, in the order they came. */
export function problemsOf(lines: readonly string[], of: Peculiarities): string[] {
  const problems = lines
    .map(withoutTime)
    .filter(line => TROUBLE.test(line) && !OWN_DOING.test(line))
  return [...new Set(problems.map(line => normalised(line, of)))]
}

function withoutTime(line: string): string {
  return line.replace(/^\w{3} [ \d]\d \d\d:\d\d:\d\d /, '')
}

function normalised(line: string, { mailRoot, stateDir, hostname }: Peculiarities): string {
  return line
    .replaceAll(mailRoot, '<mail>')
    .replaceAll(stateDir, '<state>')
    .replaceAll(hostname, '<host>')
    .replace(/<\d+><[^>]*>/, '')
    .replace(/\b[0-9a-f]{32}\b/g, '<guid>')
    .replace(/0x[0-9a-f]+/g, '<address>')
    .replace(/\d+/g, 'N')
}
