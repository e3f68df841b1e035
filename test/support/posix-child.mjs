/**
 * Runs cases of the POSIX suite in the directory argv[2]: those named in the JSON list argv[3].
 * For each it prints {begin: name} and then {name, error?}, one line each.
 */

import fs from 'node:fs'
import { posixCases } from '../conformance/posix-suite.mjs'
import { PosixDriver } from './posix-driver.mjs'

const [, , directory, list] = process.argv
const wanted = new Set(JSON.parse(list))

function print(line) {
  fs.writeSync(1, JSON.stringify(line) + '\n')
}

async function errorOf(posixCase) {
  const driver = new PosixDriver(fs.mkdtempSync(`${directory}/case-`))
  fs.chmodSync(driver.dir, 0o755)
  try {
    await posixCase.run(driver)
    return undefined
  } catch (error) {
    return error.stack
  } finally {
    await driver.finish()
    fs.rmSync(driver.dir, { recursive: true })
  }
}

process.umask(0o022)
for (const posixCase of posixCases.filter(({ name }) => wanted.has(name))) {
  print({ begin: posixCase.name })
  const error = await errorOf(posixCase).catch(failure => failure.stack)
  print({ name: posixCase.name, error })
}
