/** `--listen`, as several verbs have it. */

import { InvalidArgumentError, Option } from 'commander'
import { RoostError } from '../errors.ts'
import { addressOf } from '../io/tcp.ts'

export function listenOption(): Option {
  const option = new Option('--listen <host:port>', 'where other members reach this one')
  return option.argParser(text => {
    try {
      addressOf(text)
      return text
    } catch (error) {
      if (!(error instanceof RoostError)) throw error
      throw new InvalidArgumentError('It has to be HOST:PORT, as in 192.0.2.1:7420.')
    }
  })
}
