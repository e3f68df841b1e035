import t from 'tap'
import {
  cutDurable,
  emptyWriteQueue,
  noteSynced,
  sayWhenSynced,
  type WriteQueue
} from '../../lib/util/write-queue.ts'

/** A queue whose third write makes the log through 30 durable, and the first that through 10. */
function queueOfThree(): WriteQueue<string> {
  const queue = emptyWriteQueue<string, number>(5)
  queue.writes = 3
  queue.unsynced.push({ write: 1, index: 10 }, { write: 3, index: 30 })
  return queue
}

t.test('what rests on a write is said when it and all before are durable', t => {
  const queue = queueOfThree()
  const said: string[] = []
  const say = (output: string): void => void said.push(output)
  sayWhenSynced(queue, 0, 'at once', say)
  sayWhenSynced(queue, 2, 'after two', say)
  sayWhenSynced(queue, 3, 'after three', say)
  t.same(said, ['at once'])
  noteSynced(queue, 2, say)
  t.same(said, ['at once', 'after two'])
  t.equal(queue.durable, 10)
  noteSynced(queue, 1, say)
  t.equal(queue.synced, 2, 'it does not go back')
  noteSynced(queue, 99, say)
  t.same(said, ['at once', 'after two', 'after three'])
  t.match(queue, { synced: 3, durable: 30, unsynced: [], waiting: [] })
  t.end()
})

t.test('what was cut off is not durable later either', t => {
  const queue = queueOfThree()
  cutDurable(queue, 20)
  noteSynced(queue, 3, () => undefined)
  t.equal(queue.durable, 20)
  cutDurable(queue, 7)
  t.equal(queue.durable, 7)
  t.end()
})
