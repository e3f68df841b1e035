/**
 * What any directory of a POSIX filesystem on Linux does, as named cases: {name, run(driver)}.
 *
 * The cases run in a process of their own (test/support/posix-runner.ts). They hold on ext4, and
 * test/conformance/posix-ext4.ts shows it: what fails elsewhere is not the suite's mistake.
 */

import { attributeCases } from './posix-attributes.mjs'
import { dataCases } from './posix-data.mjs'
import { directoryCases } from './posix-directories.mjs'
import { lockCases } from './posix-locks.mjs'
import { mappingCases } from './posix-mappings.mjs'
import { nameCases } from './posix-names.mjs'
import { nodeCases } from './posix-nodes.mjs'
import { permissionCases } from './posix-permissions.mjs'
import { rangeCases } from './posix-ranges.mjs'
import { renameCases } from './posix-renames.mjs'
import { xattrCases } from './posix-xattrs.mjs'

export const posixCases = [
  ...nameCases,
  ...renameCases,
  ...directoryCases,
  ...dataCases,
  ...mappingCases,
  ...nodeCases,
  ...rangeCases,
  ...attributeCases,
  ...permissionCases,
  ...lockCases,
  ...xattrCases
]
