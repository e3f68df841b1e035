/** What a check can find, and what can be done about it. */

import type { BlobId, Ino } from '../ids.ts'

/**
 * Every kind of damage, by the name that reports and scripts use.
 *
 * log-*: the feeds. store-*, record-*: keys and values. mark-*, volume-*: where histories stand.
 * name-*, listing-*, link-count, directory-*, unnamed, orphan-*: the tree. extents-*, body-*:
 * message bodies. container-*: files kept in history. file-*: files that nothing names.
 */
export type ProblemKind =
  | 'body-count'
  | 'body-damaged'
  | 'body-missing'
  | 'body-short'
  | 'body-doomed'
  | 'container-doomed'
  | 'container-long'
  | 'container-missing'
  | 'container-short'
  | 'directory-loop'
  | 'directory-place'
  | 'directory-twice'
  | 'extents-end'
  | 'extents-of-nothing'
  | 'extents-outside'
  | 'extents-overlap'
  | 'file-unknown'
  | 'file-unnamed'
  | 'link-count'
  | 'listing-lacks'
  | 'listing-only'
  | 'log-damaged'
  | 'log-order'
  | 'log-superseded'
  | 'log-unusable'
  | 'mark-beyond-log'
  | 'name-cookie'
  | 'name-dangling'
  | 'name-foreign'
  | 'name-in-nothing'
  | 'name-type'
  | 'orphan-missing'
  | 'orphan-named'
  | 'record-damaged'
  | 'record-unknown'
  | 'root-missing'
  | 'store-unreadable'
  | 'unnamed'
  | 'volume-closed'
  | 'volume-counter'
  | 'volume-missing'
  | 'volume-unnamed'

/** Keys of the store to be put, or removed where the value is undefined. */
export type Edits = readonly (readonly [string, Buffer | undefined])[]

/**
 * One safe repair. 'edit' writes to the store; 'attach' gives an inode a name in lost+found;
 * 'remove' deletes a file of the data directory, 'cut' shortens one.
 */
export type Fix =
  | { readonly kind: 'edit'; readonly edits: Edits }
  | { readonly kind: 'attach'; readonly ino: Ino }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'cut'; readonly path: string; readonly size: number }

export interface Problem {
  readonly kind: ProblemKind
  /** One sentence, without the kind. */
  readonly text: string
  /** Whose path helps whoever reads the report. */
  readonly ino?: Ino
  readonly blob?: BlobId
  /** Without one nothing can be done that is sure to be right. */
  readonly fixes?: readonly Fix[]
}

/** Takes what is found. */
export type OnProblem = (problem: Problem) => void

export function edit(...edits: Edits): Fix {
  return { kind: 'edit', edits }
}

/** A stored name for people: names are bytes, kept one a character. */
export function shown(name: string): string {
  return JSON.stringify(Buffer.from(name, 'latin1').toString('utf8'))
}
