/**
 * The work behind the figures of several replicas, each verb in a process of its own:
 *
 *   durable DIR COUNT PAUSE_MS      appends 200 bytes and syncs them
 *   answer DIR                      does so for whoever connects to the port that it prints
 *   both DIR PORT COUNT PAUSE_MS    appends and syncs here, while the other side does the same
 *   moves DIR DIR COUNT PAUSE_MS    opens, appends and closes, in the one and in the other by turns
 *
 * Prints the milliseconds that each took, as a JSON array.
 */

import { randomUUID } from 'node:crypto'
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const RECORD = Buffer.alloc(200, 'x')

async function main([verb = '', ...args]: string[]): Promise<void> {
  const [first = '', second = '', third = '', fourth = ''] = args
  if (verb === 'answer') return answer(first)
  const timed =
    verb === 'durable'
      ? await durable(first, Number(second), Number(third))
      : verb === 'both'
        ? await both(first, Number(second), Number(third), Number(fourth))
        : await moves([first, second], Number(third), Number(fourth))
  process.stdout.write(`${JSON.stringify(timed)}\n`)
}

async function durable(directory: string, count: number, pauseMs: number): Promise<number[]> {
  const fd = openSync(join(directory, randomUUID()), 'a')
  return timesOf(count, pauseMs, () => {
    append(fd)
  })
}

/** Ends with whoever asks. */
async function answer(directory: string): Promise<void> {
  const fd = openSync(join(directory, randomUUID()), 'a')
  const server = createServer(socket => {
    socket.setNoDelay(true)
    socket.on('data', () => {
      append(fd)
      socket.write('y')
    })
    socket.on('close', () => server.close())
  })
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`${String((server.address() as { port: number }).port)}\n`)
  })
}

async function both(
  directory: string,
  port: number,
  count: number,
  pauseMs: number
): Promise<number[]> {
  const fd = openSync(join(directory, randomUUID()), 'a')
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const timed = await timesOf(count, pauseMs, async () => {
    const answered = answerOf(socket)
    socket.write(RECORD)
    append(fd)
    await answered
  })
  socket.end()
  return timed
}

function answerOf(socket: Socket): Promise<unknown> {
  return new Promise(resolve => socket.once('data', resolve))
}

async function moves(
  directories: readonly string[],
  count: number,
  pauseMs: number
): Promise<number[]> {
  let turn = 0
  return timesOf(count, pauseMs, () => {
    const fd = openSync(join(directories[turn++ % 2] ?? '', 'moves'), 'a')
    writeSync(fd, RECORD)
    closeSync(fd)
  })
}

function append(fd: number): void {
  writeSync(fd, RECORD)
  fdatasyncSync(fd)
}

async function timesOf(
  count: number,
  pauseMs: number,
  task: () => void | Promise<void>
): Promise<number[]> {
  const timed: number[] = []
  for (let n = 0; n < count; n++) {
    const start = performance.now()
    await task()
    timed.push(performance.now() - start)
    await pause(pauseMs)
  }
  return timed
}

await main(process.argv.slice(2))
