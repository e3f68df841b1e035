import debug from 'debug'
import t from 'tap'
import { createLogger } from '../../lib/io/logger.ts'

t.beforeEach(() => {
  debug.disable()
})
t.teardown(() => {
  debug.disable()
})

t.test('warnings and errors are written unasked, with their namespace', async t => {
  const lines: string[] = []
  const logger = createLogger('fuse', line => lines.push(line))
  logger.debug('quiet')
  logger.info('quiet')
  logger.warn('low on space')
  logger.error('FEED_FAILED: no space')
  t.same(lines, ['roost:fuse warning: low on space', 'roost:fuse error: FEED_FAILED: no space'])
})

t.test('the rest is written where DEBUG asks for it', async t => {
  debug.enable('roost:feed')
  const lines: string[] = []
  createLogger('feed', line => lines.push(line)).debug('synced through 7')
  createLogger('feed', line => lines.push(line)).info('100 % full, %s')
  createLogger('fuse', line => lines.push(line)).debug('quiet')
  t.equal(lines.length, 2)
  t.match(lines[0], /roost:feed synced through 7/)
  t.match(lines[1], /100 % full, %s/)
})

t.test('a message of several lines becomes one', async t => {
  const lines: string[] = []
  createLogger('x', line => lines.push(line)).error('first\n  second\r\nthird\n')
  t.same(lines, ['roost:x error: first | second | third'])
})

t.test('without a writer, lines go to stderr', async t => {
  const written = t.capture(process.stderr, 'write', () => true)
  createLogger('x').warn('hello')
  t.match(written.args(), [['roost:x warning: hello\n']])
})
