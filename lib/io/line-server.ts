/**
 * A local socket on which one line of JSON is asked and one line of JSON is answered.
 */

import * as fs from 'node:fs'
import * as net from 'node:net'
import { dirname, basename } from 'node:path'
import { RoostError } from '../errors.ts'

/** Longest line taken, far beyond any question. */
const LINE_MAX = 64 * 1024
/** The kernel's limit for the path of a local socket, with room for its end. */
const SOCKET_PATH_MAX = 100
const ANSWER_TIMEOUT_MS = 10_000

export interface LineServer {
  close(): Promise<void>
}

/** Answers every line by what `answer` returns. A socket left behind there is replaced. */
export async function openLineServer(
  path: string,
  answer: (question: unknown) => Promise<unknown>
): Promise<LineServer> {
  fs.rmSync(path, { force: true })
  const open = new Set<net.Socket>()
  const server = net.createServer(socket => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    serve(socket, answer)
  })
  await withShortPath(path, async short => {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(short, resolve)
    })
  })
  fs.chmodSync(path, 0o600)
  return {
    close: async () => {
      await new Promise<void>(resolve => {
        server.close(() => {
          resolve()
        })
        // Who asks nothing must not keep the daemon.
        for (const socket of open) socket.destroy()
      })
      fs.rmSync(path, { force: true })
    }
  }
}

/** @throws RoostError CONTROL_FAILED nobody listens, or the answer does not come */
export async function askLine(path: string, question: unknown): Promise<unknown> {
  return withShortPath(
    path,
    short =>
      new Promise((resolve, reject) => {
        const socket = net.connect(short)
        let text = ''
        socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')))
        socket.on('connect', () => socket.write(`${JSON.stringify(question)}\n`))
        socket.on('data', chunk => (text += chunk.toString()))
        socket.on('error', cause => {
          reject(new RoostError('CONTROL_FAILED', `${path}: ${cause.message}`, { cause }))
        })
        socket.on('end', () => {
          try {
            resolve(answerIn(text, path))
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)))
          }
        })
      })
  )
}

function answerIn(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new RoostError('CONTROL_FAILED', `${path}: the answer is not whole`, { cause })
  }
}

function serve(socket: net.Socket, answer: (question: unknown) => Promise<unknown>): void {
  let text = ''
  socket.on('error', () => socket.destroy())
  socket.on('data', chunk => {
    text += chunk.toString()
    const end = text.indexOf('\n')
    if (end < 0 && text.length > LINE_MAX) socket.destroy()
    if (end < 0) return
    void reply(socket, text.slice(0, end), answer)
    text = ''
  })
}

async function reply(
  socket: net.Socket,
  line: string,
  answer: (question: unknown) => Promise<unknown>
): Promise<void> {
  try {
    socket.end(`${JSON.stringify(await answer(JSON.parse(line)))}\n`)
  } catch (error) {
    socket.end(`${JSON.stringify({ error: String(error) })}\n`)
  }
}

/** Socket paths are short; a long one is reached through its open directory. */
async function withShortPath<T>(path: string, task: (short: string) => Promise<T>): Promise<T> {
  if (path.length <= SOCKET_PATH_MAX) return task(path)
  const directory = await fs.promises.open(dirname(path), fs.constants.O_DIRECTORY)
  try {
    return await task(`/proc/self/fd/${directory.fd}/${basename(path)}`)
  } finally {
    await directory.close()
  }
}
