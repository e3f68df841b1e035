/** `roost help` */

import type { Command } from 'commander'

export function addHelp(program: Command): void {
  program
    .helpCommand(false)
    .command('help')
    .description('explain a verb')
    .argument('[verb...]', 'which, as in "help config check"')
    .action((words: string[], _flags: object, command: Command) => {
      let explained = program
      for (const word of words) {
        const next = explained.commands.find(verb => verb.name() === word)
        if (next === undefined) command.error(`error: unknown command '${words.join(' ')}'`)
        explained = next
      }
      explained.outputHelp()
    })
}
