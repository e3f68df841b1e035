/**
 * Which files are bodies, which are kept in history, and which can hold no lock.
 *
 * The rules are an ordered list of patterns over the path within a volume; the first that matches
 * counts. In a pattern '*' stands for any characters but '/', and a pattern without a leading '/'
 * matches at any depth. A file that none matches begins in history and becomes a body by size.
 */

import type { FileClass } from '../feed/entry.ts'

export interface FileRule {
  readonly pattern: string
  readonly fileClass: FileClass
  /** Mail servers never lock such files, so closing one needs no round trip. */
  readonly lockless: boolean
}

/** The layouts of maildir, sdbox and mdbox, and of sieve scripts. */
export const DEFAULT_FILE_RULES: readonly FileRule[] = [
  ...rules('log', false, [
    'dovecot.index*',
    'dovecot.list.index*',
    'dovecot.map.index*',
    'dovecot.mailbox.log*',
    'dovecot-uidlist*',
    'dovecot-uidvalidity*',
    'dovecot-keywords*',
    'subscriptions*',
    '*.lock',
    '*.sieve'
  ]),
  ...rules('blob', true, ['cur/*', 'new/*', 'tmp/*', 'u.*', 'temp.*']),
  ...rules('blob', false, ['m.*'])
]

function rules(fileClass: FileClass, lockless: boolean, patterns: readonly string[]): FileRule[] {
  return patterns.map(pattern => ({ pattern, fileClass, lockless }))
}

const NO_RULE: FileRule = { pattern: '*', fileClass: 'general', lockless: false }

export class FileClassifier {
  readonly #rules: readonly { readonly rule: FileRule; readonly test: RegExp }[]

  constructor(fileRules: readonly FileRule[] = DEFAULT_FILE_RULES) {
    this.#rules = fileRules.map(rule => ({ rule, test: testOf(rule.pattern) }))
  }

  /** @param path the end of the file's path: at least its directory's name and its own */
  ruleFor(path: string): FileRule {
    for (const { rule, test } of this.#rules) {
      if (test.test(path)) return rule
    }
    return NO_RULE
  }
}

function testOf(pattern: string): RegExp {
  const anchored = pattern.startsWith('/')
  const parts = (anchored ? pattern.slice(1) : pattern).split('*')
  const body = parts.map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('[^/]*')
  return new RegExp(`${anchored ? '^' : '(?:^|/)'}${body}$`, 's')
}
