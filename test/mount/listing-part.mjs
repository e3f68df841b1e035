/**
 * Reads a part of a directory, from a remembered place on, and prints the place where it stopped.
 *
 * Arguments: the directory, the place ("start", or what this has printed), how many names at most,
 * a file to write the names to, one a line.
 */

import fs from 'node:fs'
import * as syscalls from '../support/posix-syscalls.mjs'

const [, , path, place, count, namesFile] = process.argv

const directory = syscalls.openDirectory(path)
if (place !== 'start') syscalls.seekDirectory(directory, BigInt(place))
const names = []
while (names.length < Number(count)) {
  const name = syscalls.readDirectory(directory)
  if (name === undefined) break
  names.push(name)
}
fs.writeFileSync(namesFile, names.join('\n'))
console.log(String(syscalls.tellDirectory(directory)))
syscalls.closeDirectory(directory)
