/**
 * Dovecot 2.3 does on this file system all that it does on a local disk.
 */

import t from 'tap'
import { mailRootFor } from '../support/mail-root.ts'
import { runMatrix } from './matrix.ts'

// Some ten seconds for each of up to eighteen combinations, more on a busy machine.
t.setTimeout(1_800_000)
runMatrix(t, mailRootFor)
