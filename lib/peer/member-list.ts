/**
 * Who the members are, as far as this replica knows without asking anybody.
 *
 *     members.json   as the council said it last
 *
 * A member that starts has to reach others before it can hear what the council has decided since,
 * so it begins with what it knew.
 */

import { RoostError } from '../errors.ts'
import type { Disk } from '../io/disk.ts'
import { readText, writeDurableText } from '../io/durable-text.ts'
import { decodeMember, type FoundingMember } from './cluster-identity.ts'
import { decodeJson, fieldsOf, listField } from './json-frame.ts'

const FILE = 'members.json'

export class MemberList {
  readonly #disk: Disk
  #members: readonly FoundingMember[]
  #writing: Promise<void> = Promise.resolve()

  private constructor(disk: Disk, members: readonly FoundingMember[]) {
    this.#disk = disk
    this.#members = members
  }

  /**
   * @param founders of the cluster, where nothing else is known yet
   * @throws RoostError DATA_UNUSABLE the file is not what was written
   */
  static read(disk: Disk, founders: readonly FoundingMember[]): MemberList {
    const text = readText(disk, FILE)
    if (text === undefined) return new MemberList(disk, founders)
    try {
      const fields = decodeJson(Buffer.from(text))
      const members = listField(fields, 'members').map(value => decodeMember(fieldsOf(value)))
      return new MemberList(disk, members)
    } catch (cause) {
      throw new RoostError('DATA_UNUSABLE', `${FILE} is damaged`, { cause })
    }
  }

  get members(): readonly FoundingMember[] {
    return this.#members
  }

  /** The council says that these are the members. */
  replace(members: readonly FoundingMember[]): void {
    const text = `${JSON.stringify({ members }, undefined, 2)}\n`
    if (text === `${JSON.stringify({ members: this.#members }, undefined, 2)}\n`) return
    this.#members = members
    this.#writing = this.#writing.then(() => writeDurableText(this.#disk, FILE, text))
  }

  /** Resolves when what was replaced is durable. @throws what the disk throws */
  async close(): Promise<void> {
    await this.#writing
  }
}
