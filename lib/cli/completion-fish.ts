/** The completion script for fish. */

import { allVerbs, type OptionNode, type VerbNode, type Words } from './command-tree.ts'

export function fishScript(tree: VerbNode): string {
  const lines = allVerbs(tree).flatMap(verb => [
    ...verb.verbs.map(below => verbLine(verb, below)),
    ...verb.options.map(option => optionLine(verb, option)),
    ...argumentLines(verb)
  ])
  return `# Completion of roost for fish.

complete -c roost -f
${lines.join('\n')}
`
}

function verbLine(verb: VerbNode, below: VerbNode): string {
  const name = below.path.at(-1) ?? ''
  return `complete -c roost ${condition(verb)} -a ${name} -d ${quoted(below.description)}`
}

function optionLine(verb: VerbNode, { names, description, value }: OptionNode): string {
  const forms = names.map(name =>
    name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`
  )
  const takes =
    value === undefined ? '' : ` ${value.kind === 'file' ? '-r' : '-x'}${valueOf(value)}`
  return `complete -c roost ${condition(verb)} ${forms.join(' ')}${takes} -d ${quoted(description)}`
}

function argumentLines(verb: VerbNode): string[] {
  if (verb.argument === undefined) return []
  return [`complete -c roost ${condition(verb)}${valueOf(verb.argument)}`]
}

function valueOf(words: Words): string {
  if ('words' in words) return ` -a ${quoted(words.words.join(' '))}`
  if (words.kind === 'directory') return " -a '(__fish_complete_directories)'"
  return words.kind === 'file' ? ' -F' : ''
}

/** Where on the line it counts: behind its verb, and before one that is below it. */
function condition({ path, verbs }: VerbNode): string {
  const seen = path.map(word => `__fish_seen_subcommand_from ${word}`)
  const names = verbs.map(verb => verb.path.at(-1) ?? '')
  if (names.length > 0) seen.push(`not __fish_seen_subcommand_from ${names.join(' ')}`)
  return `-n ${quoted(seen.join('; and '))}`
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`
}
