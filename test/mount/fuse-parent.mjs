/**
 * Opens the FUSE device, mounts it, and starts a command that inherits it as descriptor 3; then
 * lets go of it. It touches nothing in the mount. Ends as the command ends.
 *
 * Arguments: the mount point, the command.
 */

import { spawn } from 'node:child_process'
import { openFuseDevice } from '../../dist/lib/io/fuse-device.js'
import * as libc from '../../dist/lib/io/libc.js'

const [, , mountpoint, program, ...args] = process.argv

const fd = openFuseDevice()
const options = ['rootmode=40000', 'user_id=0', 'group_id=0', 'default_permissions', 'allow_other']
libc.mount(
  'roost',
  mountpoint,
  'fuse',
  libc.MS_NODEV | libc.MS_NOSUID,
  [`fd=${fd}`, ...options].join(',')
)
const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', fd] })
libc.close(fd)
child.on('exit', code => {
  process.exitCode = code ?? 1
})
