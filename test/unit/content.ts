import t from 'tap'
import { BLOCK_SIZE, Content } from '../../lib/vfs/content.ts'
import { SimRandom } from '../support/sim-random.ts'

function read(content: Content, offset: number, length: number): Buffer {
  const target = Buffer.alloc(length, 0xee)
  content.read(target, offset)
  return target
}

t.test('a new file needs nothing from the container', async t => {
  const content = new Content(0)
  t.equal(content.missing(0, 1_000_000), undefined)
  content.write(5, Buffer.from('abc'))
  t.equal(read(content, 0, 10).toString('latin1'), '\0\0\0\0\0abc\0\0')
})

t.test('blocks of an older file are asked for, one after another', async t => {
  const content = new Content(BLOCK_SIZE + 10)
  t.equal(content.missing(BLOCK_SIZE - 1, 2), 0)
  content.load(0, Buffer.alloc(BLOCK_SIZE, 'x'))
  t.equal(content.missing(BLOCK_SIZE - 1, 2), 1)
  content.load(1, Buffer.alloc(BLOCK_SIZE, 'y'))
  t.equal(content.missing(BLOCK_SIZE - 1, 2), undefined)
  t.equal(String(read(content, BLOCK_SIZE - 1, 2)), 'xy')
  t.equal(content.missing(2 * BLOCK_SIZE, 1), undefined, 'beyond the end there is nothing')
})

t.test('what is in memory is newer than what comes from the container', async t => {
  const content = new Content(10)
  content.load(0, Buffer.alloc(BLOCK_SIZE, 'x'))
  content.write(0, Buffer.from('new'))
  content.load(0, Buffer.alloc(BLOCK_SIZE, 'x'))
  t.equal(String(read(content, 0, 5)), 'newxx')
})

t.test('what was cut off never comes back from the container', async t => {
  const content = new Content(3 * BLOCK_SIZE)
  content.load(0, Buffer.alloc(BLOCK_SIZE, 'x'))
  content.truncate(5)
  content.load(1, Buffer.alloc(BLOCK_SIZE, 'y'))
  t.equal(content.missing(0, 3 * BLOCK_SIZE), undefined)
  t.equal(read(content, 3, 4).toString('latin1'), 'xx\0\0')
  t.ok(read(content, BLOCK_SIZE, 100).equals(Buffer.alloc(100)))
})

t.test('memory in use is counted', async t => {
  const content = new Content(0)
  content.write(0, Buffer.alloc(BLOCK_SIZE))
  content.write(10 * BLOCK_SIZE, Buffer.alloc(1))
  t.ok(content.bytes > BLOCK_SIZE && content.bytes < 2 * BLOCK_SIZE)
  content.truncate(0)
  content.write(0, Buffer.alloc(1))
  t.ok(content.bytes <= BLOCK_SIZE)
})

t.test('any writes and cuts give what a plain buffer has', async t => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = new SimRandom(seed)
    const content = new Content(0)
    const plain = Buffer.alloc(4 * BLOCK_SIZE)
    for (let i = 0; i < 12; i++) {
      const at = random.int(3 * BLOCK_SIZE)
      if (random.chance(0.3)) {
        content.truncate(at)
        plain.fill(0, at)
      } else {
        const bytes = Buffer.alloc(1 + random.int(BLOCK_SIZE), i + 1)
        content.write(at, bytes)
        plain.set(bytes, at)
      }
    }
    if (!read(content, 0, plain.length).equals(plain)) t.fail(`seed=${seed}`)
  }
  t.pass('100 seeds')
})
