/** The completion script for zsh. */

import { allVerbs, type OptionNode, type VerbNode, type Words } from './command-tree.ts'

export function zshScript(tree: VerbNode): string {
  return `#compdef roost
# Completion of roost for zsh.

${allVerbs(tree).map(functionOf).join('\n')}
if [ "$funcstack[1]" = _roost ]; then _roost "$@"; else compdef _roost roost; fi
`
}

function functionOf(verb: VerbNode): string {
  const options = verb.options.flatMap(optionSpecs)
  if (verb.verbs.length === 0) {
    const specs = [
      ...options,
      ...(verb.argument ? [quoted(`1:argument:${actionOf(verb.argument)}`)] : [])
    ]
    return `${nameOf(verb)}() {
  _arguments -S${specs.map(spec => ` \\\n    ${spec}`).join('')}
}
`
  }
  const names = verb.verbs.map(below => {
    return `    ${quoted(`${below.path.at(-1) ?? ''}:${below.description}`)}`
  })
  const calls = verb.verbs.map(below => `        ${below.path.at(-1) ?? ''}) ${nameOf(below)} ;;`)
  const specs = [...options, "'1: :->verb'", "'*:: :->rest'"].map(spec => ` \\\n    ${spec}`)
  return `${nameOf(verb)}() {
  local curcontext=$curcontext state line
  local -a verbs
  verbs=(
${names.join('\n')}
  )
  _arguments -C${specs.join('')}
  case $state in
    verb) _describe verb verbs ;;
    rest)
      case $line[1] in
${calls.join('\n')}
      esac ;;
  esac
}
`
}

function optionSpecs({ names, description, value }: OptionNode): string[] {
  const text = description.replaceAll(/[[\]:]/g, '\\$&')
  const takes = value === undefined ? '' : `:value:${actionOf(value)}`
  const isLong = (name: string): boolean => name.startsWith('--')
  return names.map(name =>
    quoted(`${name}${value !== undefined && isLong(name) ? '=' : ''}[${text}]${takes}`)
  )
}

function actionOf(words: Words): string {
  if ('words' in words) {
    const all = words.words.join(' ')
    return words.kind === 'beginnings' ? `{compadd -S "" -- ${all}}` : `(${all})`
  }
  if (words.kind === 'directory') return '_files -/'
  return words.kind === 'file' ? '_files' : ' '
}

function nameOf({ path }: VerbNode): string {
  return ['_roost', ...path].join('_')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
