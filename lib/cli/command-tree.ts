/** What there is to type, as the completion of a shell needs to know it. */

import type { Argument, Command, Option } from 'commander'
import { SCALAR_KEYS } from '../config/settings.ts'

/** What can stand in a place: some words, the beginning of a word, or a name on the disk. */
export type Words =
  | { readonly kind: 'words' | 'beginnings'; readonly words: readonly string[] }
  | { readonly kind: 'directory' | 'file' | 'anything' }

export interface OptionNode {
  /** As typed, the short form first. */
  readonly names: readonly string[]
  readonly description: string
  /** Undefined where no value has to follow. */
  readonly value: Words | undefined
}

export interface VerbNode {
  /** Words that lead to it; none for the program itself. */
  readonly path: readonly string[]
  readonly description: string
  readonly options: readonly OptionNode[]
  /** The verbs below it. */
  readonly verbs: readonly VerbNode[]
  /** What its first argument can be, if it has one. */
  readonly argument: Words | undefined
}

const DIRECTORIES = ['dir', 'mountpoint', 'dest']

export function commandTree(command: Command, path: readonly string[] = []): VerbNode {
  const help = command.createHelp()
  const verbs = help.visibleCommands(command).map(verb => commandTree(verb, [...path, verb.name()]))
  const [argument] = command.registeredArguments
  return {
    path,
    description: command.description(),
    options: help.visibleOptions(command).map(optionNode),
    verbs,
    argument: argument && argumentOf(argument, command)
  }
}

/** Every verb below, and the program itself first. */
export function allVerbs(node: VerbNode): VerbNode[] {
  return [node, ...node.verbs.flatMap(allVerbs)]
}

function optionNode(option: Option): OptionNode {
  const names = [option.short, option.long].filter(name => name !== undefined)
  const [, valueName = ''] = /<(.*)>/.exec(option.flags) ?? []
  const value = option.required ? wordsOf(valueName, option) : undefined
  return { names, description: option.description, value }
}

function argumentOf(argument: Argument, { parent }: Command): Words {
  if (argument.name() !== 'verb') return wordsOf(argument.name(), argument)
  return { kind: 'words', words: parent?.commands.map(verb => verb.name()) ?? [] }
}

function wordsOf(valueName: string, { argChoices }: Argument | Option): Words {
  if (argChoices !== undefined) return { kind: 'words', words: argChoices }
  if (valueName === 'key=value') {
    return { kind: 'beginnings', words: SCALAR_KEYS.map(key => `${key}=`) }
  }
  if (DIRECTORIES.includes(valueName)) return { kind: 'directory' }
  return { kind: valueName === 'file' ? 'file' : 'anything' }
}
