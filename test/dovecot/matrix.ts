/**
 * Every scenario in every combination of format, lock method and mmap.
 *
 * Six combinations have each value at least twice; all eighteen run if ROOST_DOVECOT_MATRIX is
 * `all`. Dovecot may complain on this mail root of nothing of which it does not complain when
 * the same is done on the local disk.
 */

import type { Test } from 'tap'
import type { LockMethod, MailFormat } from '../support/dovecot-config.ts'
import { startDovecot } from '../support/dovecot.ts'
import { localMailRootFor } from '../support/mail-root.ts'
import type { Scenario } from './scenario.ts'
import { deliveryScenarios } from './scenarios-delivery.ts'
import { mailboxScenarios } from './scenarios-mailboxes.ts'
import { maintenanceScenarios } from './scenarios-maintenance.ts'
import { messageScenarios } from './scenarios-messages.ts'

export interface Combination {
  readonly format: MailFormat
  readonly lockMethod: LockMethod
  readonly mmapDisable: boolean
}

const FORMATS: readonly MailFormat[] = ['maildir', 'sdbox', 'mdbox']
const LOCK_METHODS: readonly LockMethod[] = ['fcntl', 'flock', 'dotlock']

const SIX: readonly Combination[] = [
  { format: 'maildir', lockMethod: 'fcntl', mmapDisable: false },
  { format: 'maildir', lockMethod: 'dotlock', mmapDisable: true },
  { format: 'sdbox', lockMethod: 'flock', mmapDisable: false },
  { format: 'sdbox', lockMethod: 'fcntl', mmapDisable: true },
  { format: 'mdbox', lockMethod: 'dotlock', mmapDisable: false },
  { format: 'mdbox', lockMethod: 'flock', mmapDisable: true }
]

/** The combinations to run now. */
export function combinations(): readonly Combination[] {
  if (process.env['ROOST_DOVECOT_MATRIX'] !== 'all') return SIX
  return FORMATS.flatMap(format =>
    LOCK_METHODS.flatMap(lockMethod =>
      [false, true].map(mmapDisable => ({ format, lockMethod, mmapDisable }))
    )
  )
}

const SCENARIOS: readonly Scenario[] = [
  ...deliveryScenarios,
  ...messageScenarios,
  ...mailboxScenarios,
  ...maintenanceScenarios
]

/** Runs all of them below mail roots that `mailRootFor` gives. */
export function runMatrix(t: Test, mailRootFor: (t: Test) => Promise<string>): void {
  for (const combination of combinations()) {
    const { format, lockMethod, mmapDisable } = combination
    const title = `${format}, lock_method ${lockMethod}, mmap_disable ${mmapDisable ? 'yes' : 'no'}`
    t.test(title, async t => {
      const problems = await runCombination(t, combination, await mailRootFor(t))
      if (problems.length === 0) return
      t.comment('Dovecot complains; does it of the same on the local disk?', ...problems)
      const known = await runCombination(t, combination, await localMailRootFor(t))
      t.strictSame(
        problems.filter(problem => !known.includes(problem)),
        [],
        'Dovecot complains of nothing that it accepts on the local disk'
      )
    })
  }
}

/** Runs the scenarios in that mail root; returns what Dovecot complained about. */
export async function runCombination(
  t: Test,
  combination: Combination,
  mailRoot: string
): Promise<string[]> {
  const dovecot = await startDovecot({ mailRoot, ...combination })
  t.teardown(() => dovecot.close())
  for (const scenario of SCENARIOS) {
    if (scenario.formats?.includes(combination.format) === false) continue
    await t.test(scenario.title, t => scenario.run(dovecot, t))
  }
  await dovecot.stop()
  return dovecot.problems()
}
