/**
 * What Dovecot may say when it finds its mail again after everything was killed.
 *
 * An sdbox delivery gives its file the final name, then appends to the index log. An mdbox delivery
 * appends to a file of many messages, then to the log of its map, and marks the end there in a
 * further write. One that is killed in between leaves these apart, on any file system: rounds of
 * kill -9 of a Dovecot with its mail on ext4 gave all of these lines, as a power cut there does,
 * and nothing for maildir. The rebuilds that follow lose and double nothing, which is checked.
 */

import type { MailFormat } from '../support/dovecot-config.ts'

const SDBOX_KILLED = [
  /Error: .*sdbox: \S+\/u\.\d+ already exists, rebuilding index$/,
  /Warning: sdbox \S+: Rebuilding index$/
]

const MDBOX_KILLED = [
  /Warning: mdbox \S+: Inconsistency in map index \(\d+,\d+ != \d+,\d+\)$/,
  /Warning: fscking index file \S+\/mdbox\/storage\/dovecot\.map\.index$/,
  /Warning: mdbox \S+: rebuilding indexes$/,
  /Error: .*Corrupted dbox file \S+ \(around offset=\d+\): msg header has bad magic value$/,
  /Warning: dbox: Copy of the broken file saved to \S+\.broken$/,
  /Error: .*link\(\S+, \S+\.broken\) failed: File exists$/
]

const KNOWN: Readonly<Record<MailFormat, readonly RegExp[]>> = {
  maildir: [],
  sdbox: SDBOX_KILLED,
  mdbox: MDBOX_KILLED
}

const TROUBLE = /\b(?:Error|Warning|Panic|Fatal): /
/** It was told to end; or the machine, shared with others, stood still for a while. */
const NO_TROUBLE = /master: Warning: Killed with signal 15 |Warning: Time (?:moved|jumped) /

/** The lines of a log that say more than a power cut explains. */
export function complaintsIn(lines: readonly string[], format: MailFormat): string[] {
  const isKnown = (line: string): boolean => KNOWN[format].some(known => known.test(line))
  return lines.filter(line => TROUBLE.test(line) && !NO_TROUBLE.test(line) && !isKnown(line))
}
