/**
 * Writes into the middle of a file that it has open for appending, and reads the file through
 * another descriptor until that shows what is expected. Prints what it has seen, the first and
 * the last.
 *
 * Arguments: a file to make, its first content, what to write, where, what is expected.
 */

import fs from 'node:fs'
import { readText, writeWithoutAppending } from '../support/posix-syscalls.mjs'

const [, , path, content, text, position, expected] = process.argv

fs.writeFileSync(path, content)
const fd = fs.openSync(path, 'a')
const reader = fs.openSync(path, 'r')
// From here on the kernel has the page.
const before = readText(reader)
writeWithoutAppending(fd, text, Number(position))
let after = readText(reader)
while (after !== expected) after = readText(reader)
console.log(JSON.stringify({ before, after, size: fs.fstatSync(fd).size }))
