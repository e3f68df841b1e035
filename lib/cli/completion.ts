/** `roost completion` */

import { Argument, type Command } from 'commander'
import { commandTree } from './command-tree.ts'
import { bashScript } from './completion-bash.ts'
import { fishScript } from './completion-fish.ts'
import { zshScript } from './completion-zsh.ts'

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript }

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print a script with which a shell completes what is typed')
    .addArgument(new Argument('<shell>', 'whose script').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', HELP)
    .action((shell: keyof typeof SCRIPTS) => {
      process.stdout.write(SCRIPTS[shell](commandTree(program)))
    })
}

const HELP = `
For the shell that is running:
  bash, zsh  source <(roost completion bash), and zsh the same with its name
  fish       roost completion fish | source`
