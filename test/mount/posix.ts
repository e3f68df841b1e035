/** The POSIX suite on real mounts: by default, and with all that can be asked for. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { runPosixSuite } from '../support/posix-runner.ts'
import { mountRoost } from '../support/roost-mount.ts'

t.setTimeout(600_000)

const isOfXattrs = (name: string): boolean => name.includes('extended attribute')

for (const args of [[], ['--mode', 'shared', '--xattr']]) {
  t.test(
    `a directory of a user behaves as POSIX says, mounted with [${args.join(' ')}]`,
    async t => {
      const mount = await mountRoost(t, { mountArgs: args })
      const hasXattrs = args.includes('--xattr')
      const directory = join(mount.mountpoint, 'user')
      await promisify(execFile)('mkdir', [directory], { timeout: 10_000 })
      const isWanted = (name: string): boolean => hasXattrs || !isOfXattrs(name)
      const outcomes = await runPosixSuite(t, directory, isWanted)
      t.ok(outcomes.length > 130, 'the whole suite ran')
      t.equal(
        outcomes.some(({ name }) => isOfXattrs(name)),
        hasXattrs
      )
      const { fuse } = await mount.status()
      t.equal(fuse?.errors, 0, 'no request failed for an unknown reason')
      t.equal(mount.errors(), '', 'the daemon had nothing to complain of')
    }
  )
}

const TOOL = join(import.meta.dirname, '../support/posix-syscalls.mjs')

t.test('without --xattr no attribute is kept, and with it those of users only', async t => {
  const outcomeOf = async (args: string[], name: string): Promise<string> => {
    const mount = await mountRoost(t, { mountArgs: args })
    const program = `import { setAttribute } from ${JSON.stringify(TOOL)}
      try { setAttribute(process.argv[1], process.argv[2], 'x'); console.log('set') }
      catch (error) { console.log(error.code) }`
    const argv = ['--input-type=module', '-e', program, mount.mountpoint, name]
    const { stdout } = await promisify(execFile)(process.execPath, argv, { timeout: 20_000 })
    return stdout.trim()
  }
  t.equal(await outcomeOf([], 'user.a'), 'ENOTSUP')
  t.equal(await outcomeOf(['--xattr'], 'user.a'), 'set')
  for (const name of ['trusted.a', 'security.a', 'system.a']) {
    t.equal(await outcomeOf(['--xattr'], name), 'ENOTSUP')
  }
})
