/**
 * A Debian 13 tree with Dovecot 2.4 in it, made once and kept for later runs.
 *
 * It is made beside its place and then renamed, so that what is there is complete.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const PACKAGES = ['dovecot-core', 'dovecot-imapd', 'dovecot-lmtpd', 'dovecot-sieve']

/** ROOST_TRIXIE names the place of the tree, ROOST_DEBIAN_MIRROR where its packages come from. */
export async function trixieTree(tell: (text: string) => void): Promise<string> {
  const tree = process.env['ROOST_TRIXIE'] ?? join(tmpdir(), 'roost-trixie')
  if (existsSync(join(tree, 'usr/sbin/dovecot'))) return tree
  if (process.getuid?.() !== 0)
    throw new Error('This test makes a Debian tree and must run as root')
  if (!existsSync('/usr/sbin/debootstrap')) {
    throw new Error('This test needs debootstrap; install it with: apt-get install debootstrap')
  }
  tell(`making a Debian 13 tree in ${tree}; this takes a minute or two`)
  const unfinished = `${tree}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(dirname(tree), { recursive: true })
  await debootstrap(unfinished)
  await rename(unfinished, tree)
  return tree
}

async function debootstrap(directory: string): Promise<void> {
  // Without one, debootstrap takes the mirror that it was configured with.
  const mirror = process.env['ROOST_DEBIAN_MIRROR']
  const options = ['--variant=minbase', `--include=${PACKAGES.join()}`]
  const child = spawn('debootstrap', [...options, 'trixie', directory, ...(mirror ? [mirror] : [])])
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      lines.push(text)
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0) return
  throw new Error(`debootstrap failed: ${lines.slice(-10).join('')}`)
}
