/**
 * Dovecot 2.4, from a Debian 13 tree, works on this file system with its example configuration.
 */

import t from 'tap'
import { exampleScenario } from '../dovecot/example-scenario.ts'
import { mailRootFor } from '../support/mail-root.ts'
import { trixieTree } from './trixie-tree.ts'

// The tree may have to be made first.
t.setTimeout(900_000)

t.test('Dovecot 2.4 delivers, files and reads mail with its example configuration', async t => {
  const tree = await trixieTree(text => t.comment(text))
  await exampleScenario(t, { example: 'dovecot-2.4.conf', tree, mailRoot: await mailRootFor(t) })
})
