/**
 * Watches what it is given by inotify, and prints a line for each event: the path, and what came.
 *
 *   node watcher.mjs PATH...
 */

import { watch } from 'node:fs'

for (const path of process.argv.slice(2)) {
  watch(path, (event, name) => process.stdout.write(`${path} ${event} ${name}\n`))
}
process.stdout.write('ready\n')
