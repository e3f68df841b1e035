import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { describeGolden, openGolden, untrimSegments, type GoldenPath } from '../support/golden.ts'
import { SimReplicaShell } from '../support/sim-replica-shell.ts'

const GOLDEN = join(import.meta.dirname, '../fixtures/data')

for (const format of fs.readdirSync(GOLDEN).sort()) {
  for (const kind of ['closed', 'killed']) {
    t.test(`a ${kind} data directory of format ${format} opens, with everything in it`, async t => {
      const directory = join(t.testdir({}), kind)
      fs.cpSync(join(GOLDEN, format, kind), directory, { recursive: true })
      untrimSegments(directory)
      const expected = JSON.parse(
        fs.readFileSync(join(GOLDEN, format, `${kind}.json`), 'utf8')
      ) as Record<string, GoldenPath>
      const replica = await openGolden(directory)
      t.same(replica.keeper.recovered.tornTails, [])
      t.same(await describeGolden(replica), expected)
      const shell = new SimReplicaShell(replica)
      await shell.write('anna/Maildir/new/4.host', 'and it goes on')
      await shell.unlink('anna/notes')
      await replica.close()
      const again = await openGolden(directory)
      t.equal(String(await new SimReplicaShell(again).read('anna/Maildir/new/4.host')).length, 14)
      t.notOk('/anna/notes' in (await describeGolden(again)))
      await again.close()
    })
  }
}
