import t from 'tap'
import { NodeDisk } from '../../lib/io/node-disk.ts'
import { diskSuite } from '../conformance/disk-suite.ts'
import { SimDisk } from '../support/sim-disk.ts'

t.test('the real disk', async t => {
  diskSuite(t, t => new NodeDisk(t.testdir()))
})

t.test('the simulated disk', async t => {
  diskSuite(t, () => new SimDisk())
})

t.test('the simulated disk whose directories are independent', async t => {
  diskSuite(t, () => new SimDisk({ nameOrder: 'directory' }))
})
