/** The completion script for bash. It needs nothing but bash itself. */

import { allVerbs, type VerbNode, type Words } from './command-tree.ts'

export function bashScript(tree: VerbNode): string {
  const verbs = allVerbs(tree)
  const paths = verbs.filter(({ path }) => path.length > 0).map(({ path }) => `'${path.join(' ')}'`)
  return `# Completion of roost for bash.

_roost() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local verb= arguments=0 skip= at word kind= words=
  COMPREPLY=()
  # bash takes the "=" of --data=DIR for a word of its own.
  if [[ $previous == '=' ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if [[ $current == '=' ]]; then current=; fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    if [[ $skip ]]; then
      if [[ $word != '=' ]]; then skip=; fi
      continue
    fi
    case "$verb:$word" in
${valueCases(verbs)}
        skip=1 ;;
      *:-*) ;;
      *)
        case "\${verb:+$verb }$word" in
          ${paths.join(' | ')})
            verb=\${verb:+$verb }$word ;;
          *) ((arguments++)) ;;
        esac ;;
    esac
  done
  case "$verb:$previous" in
${optionValues(verbs)}
    *)
      if [[ $current == -* ]]; then
        kind=words
        case $verb in
${optionNames(verbs)}
        esac
      elif ((arguments == 0)); then
        case $verb in
${firstArguments(verbs)}
        esac
      fi ;;
  esac
  case $kind in
    words) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
    beginnings)
      mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
      compopt -o nospace 2>/dev/null ;;
    directory)
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      compopt -o filenames 2>/dev/null ;;
    file)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      compopt -o filenames 2>/dev/null ;;
  esac
}

complete -F _roost roost
`
}

/** A pattern for each option that a value follows. */
function valueCases(verbs: readonly VerbNode[]): string {
  const patterns = verbs.flatMap(({ path, options }) =>
    options
      .filter(({ value }) => value !== undefined)
      .flatMap(({ names }) => names.map(name => `'${path.join(' ')}:${name}'`))
  )
  return `      ${patterns.join(' | ')})`
}

function optionValues(verbs: readonly VerbNode[]): string {
  const lines = verbs.flatMap(({ path, options }) =>
    options.flatMap(({ names, value }) =>
      value === undefined
        ? []
        : names.map(name => `    '${path.join(' ')}:${name}') ${assignment(value)} ;;`)
    )
  )
  return lines.join('\n')
}

function optionNames(verbs: readonly VerbNode[]): string {
  const lines = verbs.map(({ path, options }) => {
    const names = options.flatMap(option => option.names).join(' ')
    return `          '${path.join(' ')}') words='${names}' ;;`
  })
  return lines.join('\n')
}

function firstArguments(verbs: readonly VerbNode[]): string {
  const lines = verbs.flatMap(({ path, verbs: below, argument }) => {
    const words = below.map(verb => verb.path.at(-1) ?? '')
    const first = below.length > 0 ? ({ kind: 'words', words } as const) : argument
    return first === undefined ? [] : [`          '${path.join(' ')}') ${assignment(first)} ;;`]
  })
  return lines.join('\n')
}

function assignment(words: Words): string {
  return `kind=${words.kind}${'words' in words ? ` words='${words.words.join(' ')}'` : ''}`
}
