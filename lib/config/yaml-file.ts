/**
 * Reads a configuration file: YAML whose keys are those of the settings. Every problem is noted
 * with its line, and reading goes on, so that all are told at once.
 */

import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type YAMLMap
} from 'yaml'
import type { FileRule } from '../mail/file-class.ts'
import { KEYS, SCALAR_KEYS, SETTINGS, type ScalarKey, type Settings } from './settings.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface FileReading {
  /** Settings that the file gives a value to, or nothing on purpose. */
  readonly values: Partial<Settings>
  /** The line of each of them. */
  readonly lines: ReadonlyMap<keyof Settings, number>
  /** Sentences that begin with file and line. */
  readonly problems: readonly string[]
}

type Item = Node | null | undefined
type Mapping = YAMLMap

const FILE_CLASSES = ['log', 'blob', 'general'] as const
const RULE_KEYS = ['pattern', 'class', 'lockless']
const PATTERN = '"name" or "directory/name", with "*" for any characters'

/** @param environment what ${NAME} in a value stands for */
export function readYamlFile(file: string, text: string, environment: Environment): FileReading {
  return new YamlFile(file, text, environment).read()
}

class YamlFile {
  readonly #file: string
  readonly #environment: Environment
  readonly #counter = new LineCounter()
  readonly #document: Document.Parsed
  readonly #values: Partial<Settings> = {}
  readonly #lines = new Map<keyof Settings, number>()
  readonly #problems: string[] = []

  constructor(file: string, text: string, environment: Environment) {
    this.#file = file
    this.#environment = environment
    this.#document = parseDocument(text, { lineCounter: this.#counter, prettyErrors: false })
  }

  read(): FileReading {
    const { errors, warnings, contents } = this.#document
    for (const { message, pos } of [...errors, ...warnings]) {
      this.#problemAt(this.#counter.linePos(pos[0]).line, message)
    }
    if (errors.length === 0) this.#readSection(contents, '')
    return { values: this.#values, lines: this.#lines, problems: this.#problems }
  }

  #readSection(section: Item, prefix: string): void {
    // With all its lines commented out a section is empty, which is as good as absent.
    if (section === null || (isScalar(section) && section.value === null)) return
    if (!isMap(section)) {
      const what = prefix === '' ? 'the configuration' : prefix.slice(0, -1)
      this.#problem(section, `${what} has to be keys with values`)
      return
    }
    for (const { name, key, value } of this.#pairsOf(section)) {
      // A dot within a name would make another key of it.
      const path = `${prefix}${name.replaceAll('.', '?')}`
      const scalar = SCALAR_KEYS.find(known => known === path)
      if (scalar !== undefined) this.#readScalar(scalar, value, key)
      else if (path === 'files') this.#readRules(value, key)
      else if (KEYS.some(known => known.startsWith(`${path}.`))) {
        this.#readSection(value, `${path}.`)
      } else this.#unknownKey(key, `${prefix}${name}`, namesBelow(prefix))
    }
  }

  #readScalar(key: ScalarKey, node: Item, keyNode: Node): void {
    const setting = SETTINGS[key]
    const text = this.#textOf(node)
    if (text === undefined) return
    // A setting that has no default can be left open; what has one needs a value.
    const isOpen = text === null && setting.fallback === undefined
    const value = text === null ? undefined : setting.parse(text)
    if (value === undefined && !isOpen) {
      const is = text === null ? 'has no value' : `cannot be "${text}"`
      this.#problem(node ?? keyNode, `${key} ${is}; it has to be ${setting.expected}`)
      return
    }
    this.#keep(key, value, keyNode)
  }

  #readRules(list: Item, keyNode: Node): void {
    if (!isSeq(list)) {
      this.#problem(list ?? keyNode, 'files has to be a list of rules')
      return
    }
    const before = this.#problems.length
    const rules = list.items.map(item => this.#ruleOf(this.#resolved(item as Item), keyNode))
    if (this.#problems.length > before) return
    this.#keep('files', rules, keyNode)
  }

  /** A rule, which is of no use where a problem was noted. */
  #ruleOf(item: Item, keyNode: Node): FileRule {
    const rule = { pattern: '', fileClass: 'general' as FileRule['fileClass'], lockless: false }
    if (!isMap(item)) {
      this.#problem(item ?? keyNode, 'a rule of files has a pattern and a class')
      return rule
    }
    const missing = new Set(['pattern', 'class'])
    for (const { name, key, value } of this.#pairsOf(item)) {
      missing.delete(name)
      const text = RULE_KEYS.includes(name) ? this.#textOf(value) : undefined
      const fileClass = FILE_CLASSES.find(known => known === text)
      const at = value ?? key
      if (!RULE_KEYS.includes(name)) this.#unknownKey(key, `files: ${name}`, RULE_KEYS)
      else if (text === undefined) continue
      else if (name === 'pattern' && isPattern(text)) rule.pattern = bytesOf(text)
      else if (name === 'class' && fileClass !== undefined) rule.fileClass = fileClass
      else if (name === 'lockless' && isBoolean(text)) rule.lockless = text === 'true'
      else this.#problem(at, `${name} cannot be "${text ?? ''}"; it has to be ${expectedOf(name)}`)
    }
    if (missing.size > 0) this.#problem(item, `a rule lacks its ${[...missing].join(' and ')}`)
    return rule
  }

  #pairsOf(map: Mapping): { name: string; key: Node; value: Item }[] {
    return map.items.map(pair => {
      const key = pair.key as Node
      const name = isScalar(key) ? String(key.value) : String(key)
      return { name, key, value: this.#resolved(pair.value as Item) }
    })
  }

  /** @returns null for no value; undefined where a problem was noted */
  #textOf(node: Item): string | null | undefined {
    if (node === null || node === undefined) return null
    if (!isScalar(node)) {
      this.#problem(node, 'here has to be one value, not several')
      return undefined
    }
    if (node.value === null) return null
    return typeof node.value === 'string' ? this.#substituted(node, node.value) : node.source
  }

  #substituted(node: Node, text: string): string | undefined {
    const unset: string[] = []
    const result = text.replace(/\$\{([^{}]*)\}/g, (_, name: string) => {
      const value = this.#environment[name]
      if (value === undefined) unset.push(name)
      return value ?? ''
    })
    for (const name of unset) this.#problem(node, `the variable ${name} is not set`)
    return unset.length === 0 ? result : undefined
  }

  #resolved(node: Item): Item {
    if (!isAlias(node)) return node
    const target = node.resolve(this.#document)
    if (target === undefined) this.#problem(node, `nothing has the anchor "${node.source}"`)
    return target
  }

  #keep(key: keyof Settings, value: Settings[keyof Settings], node: Node): void {
    Object.assign(this.#values, { [key]: value })
    this.#lines.set(key, this.#lineOf(node))
  }

  #unknownKey(node: Node, key: string, known: readonly string[]): void {
    this.#problem(node, `unknown key "${key}"; there are ${known.join(', ')}`)
  }

  #problem(node: Item, text: string): void {
    this.#problemAt(this.#lineOf(node), text)
  }

  #problemAt(line: number, text: string): void {
    this.#problems.push(`${this.#file}:${line}: ${text}`)
  }

  #lineOf(node: Item): number {
    return this.#counter.linePos(node?.range?.[0] ?? 0).line
  }
}

/** The keys that can stand in a section. */
function namesBelow(prefix: string): string[] {
  const below = KEYS.filter(key => key.startsWith(prefix)).map(key => key.slice(prefix.length))
  return [...new Set(below.map(key => key.replace(/\..*/, '')))]
}

/** A file is known by its name and that of its directory alone. */
function isPattern(text: string | null): text is string {
  return text !== null && /^(?:[^/]+\/)?[^/]+$/.test(text)
}

function isBoolean(text: string | null): boolean {
  return text === 'true' || text === 'false'
}

function expectedOf(name: string): string {
  if (name === 'pattern') return PATTERN
  return name === 'class' ? 'log, blob or general' : '"true" or "false"'
}

/** Names are bytes, one character each. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}
