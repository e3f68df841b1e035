import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import {
  DEFAULT_CONFIG,
  resolveConfig,
  settingsOf,
  soundConfig,
  type Config,
  type Resolved
} from '../../lib/config.ts'
import type { Environment } from '../../lib/config/yaml-file.ts'
import { DEFAULT_TUNING } from '../../lib/host/tuning.ts'
import { FileClassifier } from '../../lib/mail/file-class.ts'

const PATH = '/etc/roost/roost.yaml'
const SAMPLE = readFileSync(new URL('../../examples/roost.yaml', import.meta.url), 'utf8')

function resolved(text: string, environment: Environment = {}): Resolved {
  return resolveConfig({ file: { path: PATH, text }, environment, flags: {} })
}

function configOf(text: string, environment: Environment = {}): Config {
  return soundConfig(resolved(text, environment))
}

/** The file is refused for just these reasons, each with its line. */
function refuses(t: Test, text: string, ...sentences: string[]): void {
  const { problems } = resolved(text)
  t.strictSame(
    problems,
    sentences.map(sentence => `${PATH}:${sentence}`)
  )
}

t.test('the sample names every setting, and parses to exactly the defaults', async t => {
  const { config, origins, problems } = resolved(SAMPLE)
  t.strictSame(problems, [])
  t.strictSame(config, DEFAULT_CONFIG)
  for (const [key, origin] of Object.entries(origins)) t.match(origin, /^\/etc.*:\d+$/, key)
})

t.test('the sample names the variable of every setting that has one', async t => {
  for (const key of Object.keys(settingsOf(DEFAULT_CONFIG))) {
    const words = key.replace('.', '_').replace(/[A-Z]/g, '_$&')
    const variable = `ROOST_${words.toUpperCase()}`
    t.match(SAMPLE, new RegExp(`^ *#.* ${variable}$`, 'm'), variable)
  }
})

t.test('nothing at all, and a file of comments, give the defaults', async t => {
  const { config, origins } = resolveConfig({ environment: {}, flags: {} })
  t.strictSame(config, DEFAULT_CONFIG)
  t.equal(new Set(Object.values(origins)).size, 1)
  for (const text of ['', '# nothing\n', 'memory:\n  # contents: 1GiB\n']) {
    t.strictSame(configOf(text), DEFAULT_CONFIG)
  }
  t.strictSame(DEFAULT_CONFIG.tuning, DEFAULT_TUNING)
})

t.test('a configuration cannot be changed, in none of its parts', async t => {
  const config = configOf(SAMPLE)
  const parts = [config, config.tuning, config.tuning.fileRules, ...config.tuning.fileRules]
  for (const part of parts) t.ok(Object.isFrozen(part))
  t.notOk(Object.isFrozen(DEFAULT_TUNING.fileRules), 'what it was made from is left alone')
})

t.test('a file sets everything that there is', async t => {
  const config = configOf(`
data: /srv/data
volume_depth: 2
mount: { point: /srv/mail, mode: shared, force: true, xattr: true }
memory: { metadata: 512MiB, contents: 256MiB, bodies: 1 GiB }
log: { sync_after: 5ms, gather: 2s, gather_bytes: 16777216, checkpoint_bytes: 128MiB }
lease: { waitTimeout: 5s, renameTimeout: 2s, minHold: 0ms, lockGrace: 500ms }
files: [{ pattern: '*.x', class: blob, lockless: true }, { pattern: 'a/*', class: general }]
`)
  t.strictSame(config, {
    dataDirectory: '/srv/data',
    volumeDepth: 2,
    mountpoint: '/srv/mail',
    mode: 'shared',
    force: true,
    xattrs: true,
    tuning: {
      fileRules: [
        { pattern: '*.x', fileClass: 'blob', lockless: true },
        { pattern: 'a/*', fileClass: 'general', lockless: false }
      ],
      metadataBytes: 512 * 2 ** 20,
      contentBytes: 256 * 2 ** 20,
      bodyBytes: 2 ** 30,
      syncAfterMs: 5,
      gatherMs: 2000,
      gatherBytes: 16 * 2 ** 20,
      checkpointBytes: 128 * 2 ** 20,
      quietMs: DEFAULT_TUNING.quietMs,
      lease: { waitMs: 5000, renameWaitMs: 2000, minHoldMs: 0, lockGraceMs: 500 }
    }
  })
})

t.test('the command line comes before the environment, and that before the file', async t => {
  const file = { path: PATH, text: 'data: /file\nvolume_depth: 2\nmount:\n  mode: shared\n' }
  const environment = { ROOST_DATA: '/environment', ROOST_VOLUME_DEPTH: '3', ROOST_MOUNT_POINT: '' }
  const { config, origins } = resolveConfig({ file, environment, flags: { data: '/flag' } })
  t.match(config, { dataDirectory: '/flag', volumeDepth: 3, mode: 'shared' })
  t.equal(config.mountpoint, undefined, 'an empty variable says nothing')
  t.match(origins, {
    data: 'command line',
    volume_depth: 'ROOST_VOLUME_DEPTH',
    'mount.mode': `${PATH}:4`,
    'mount.point': 'default'
  })
})

t.test('what is not known is refused with its line', async t => {
  const known = 'data, volume_depth, mount, memory, log, lease, files'
  refuses(t, 'data: /x\n\nmemroy:\n  bodies: 1GiB\n', `3: unknown key "memroy"; there are ${known}`)
  refuses(
    t,
    'memory:\n  bodies: 64MiB\n  body: 1\nlog: { gather: 1s, sync: 1s }\n',
    '3: unknown key "memory.body"; there are metadata, contents, bodies',
    '4: unknown key "log.sync"; there are sync_after, gather, gather_bytes, checkpoint_bytes'
  )
  refuses(t, 'memory.bodies: 1GiB\n', `1: unknown key "memory.bodies"; there are ${known}`)
  refuses(
    t,
    "files:\n  - pattern: 'x'\n    class: log\n    lockles: true\n",
    '4: unknown key "files: lockles"; there are pattern, class, lockless'
  )
})

t.test('what cannot be is refused with its line, and with what could be', async t => {
  const size = 'it has to be a size such as 64MiB, from 4MiB to 1TiB'
  const lines = ['64MB', '1MiB', '64 mib', '-1', '1.5GiB', '2TiB', '99999999999999999TiB']
  for (const value of lines) {
    const sentence = `2: memory.bodies cannot be "${value}"; ${size}`
    refuses(t, `memory:\n  bodies: ${value}\n`, sentence)
  }
  const time = 'it has to be a time such as 500ms or 1s, from 0ms to 1min'
  for (const value of ['1', '1d', '2min', 'soon']) {
    refuses(t, `log:\n\n  gather: ${value}\n`, `3: log.gather cannot be "${value}"; ${time}`)
  }
  refuses(
    t,
    'data: data\nvolume_depth: 5\nmount:\n  mode: double\n  force: yes\n',
    '1: data cannot be "data"; it has to be an absolute path',
    '2: volume_depth cannot be "5"; it has to be a number from 1 to 4',
    '4: mount.mode cannot be "double"; it has to be "single" or "shared"',
    '5: mount.force cannot be "yes"; it has to be "true" or "false"'
  )
})

t.test('waits for a lease that nobody could want are refused with their lines', async t => {
  const range = (from: string, to: string): string =>
    `it has to be a time such as 500ms or 1s, from ${from} to ${to}`
  refuses(
    t,
    'lease:\n  waitTimeout: 0ms\n  renameTimeout: 1h\n  minHold: 5s\n  lockGrace: -1s\n',
    `2: lease.waitTimeout cannot be "0ms"; ${range('100ms', '5min')}`,
    `3: lease.renameTimeout cannot be "1h"; ${range('100ms', '5min')}`,
    `4: lease.minHold cannot be "5s"; ${range('0ms', '1s')}`,
    `5: lease.lockGrace cannot be "-1s"; ${range('0ms', '1min')}`
  )
})

t.test('a setting that has a default is not left open', async t => {
  refuses(t, 'log:\n  gather:\n', `2: log.gather has no value; ${TIME}`)
  refuses(t, 'log:\n  gather: null\n', `2: log.gather has no value; ${TIME}`)
})
const TIME = 'it has to be a time such as 500ms or 1s, from 0ms to 1min'

t.test('values where keys should be, and lists where values should be, are refused', async t => {
  refuses(t, '- data\n', '1: the configuration has to be keys with values')
  refuses(t, 'data: /x\nmemory: 1GiB\n', '2: memory has to be keys with values')
  refuses(t, 'data:\n  - /x\n', '2: here has to be one value, not several')
  refuses(t, 'files: all\n', '1: files has to be a list of rules')
  refuses(t, 'files:\n', '1: files has to be a list of rules')
})

t.test('what is no YAML is refused with its line', async t => {
  refuses(t, 'data: /x\ndata: /y\n', '2: Map keys must be unique')
  t.match(resolved('data: /x\nmemory: {\n').problems, [/^\/etc\/roost\/roost\.yaml:3: .*Flow map/])
  t.match(resolved('data: !secret /x\n').problems, [/roost\.yaml:1: Unresolved tag: !secret/])
  t.match(resolved('data: /x\n---\ndata: /y\n').problems, [/roost\.yaml:2: .*multiple documents/])
})

t.test('a rule needs a pattern and a class that are possible', async t => {
  const pattern = 'it has to be "name" or "directory/name", with "*" for any characters'
  refuses(
    t,
    'files:\n  - pattern: x\n  - class: log\n  - {}\n  - x\n',
    '2: a rule lacks its class',
    '3: a rule lacks its pattern',
    '4: a rule lacks its pattern and class',
    '5: a rule of files has a pattern and a class'
  )
  refuses(
    t,
    "files:\n  - { pattern: '/x', class: log }\n  - { pattern: 'a/b/c', class: index }\n",
    `2: pattern cannot be "/x"; ${pattern}`,
    `3: pattern cannot be "a/b/c"; ${pattern}`,
    '3: class cannot be "index"; it has to be log, blob or general'
  )
  refuses(
    t,
    'files: [{ pattern: x, class: log, lockless: maybe }]\n',
    '1: lockless cannot be "maybe"; it has to be "true" or "false"'
  )
})

t.test('a pattern matches names beyond ASCII, which are bytes to the file system', async t => {
  const { tuning } = configOf("files: [{ pattern: 'Entwürfe/*', class: blob }]\n")
  const path = Buffer.from('Entwürfe/1').toString('latin1')
  t.equal(new FileClassifier(tuning.fileRules).ruleFor(path).fileClass, 'blob')
})

t.test('${NAME} stands for a variable, which has to be set', async t => {
  const environment = { WHERE: '/srv', SIZE: '128MiB', ODD: '"\n#' }
  const config = configOf('data: ${WHERE}/${WHERE}\nmemory: { bodies: "${SIZE}" }\n', environment)
  t.match(config, { dataDirectory: '/srv//srv', tuning: { bodyBytes: 128 * 2 ** 20 } })
  t.equal(configOf('data: /${ODD}', environment).dataDirectory, '/"\n#', 'it is never read as YAML')
  refuses(t, 'volume_depth: 1\ndata: ${WHERE}/x\n', '2: the variable WHERE is not set')
})

t.test('an anchor stands for what it names', async t => {
  const text = 'memory:\n  contents: &size 32MiB\n  bodies: *size\n'
  t.equal(configOf(text).tuning.bodyBytes, 32 * 2 ** 20)
  t.match(resolved('data: *nothing\n').problems, [/:1: nothing has the anchor "nothing"$/])
})

t.test('a bad variable is refused by its name, whatever the file says', async t => {
  const environment = { ROOST_MEMORY_BODIES: '1', ROOST_MOUNT_MODE: 'both' }
  const { problems } = resolved('memory:\n  bodies: none\n', environment)
  t.match(problems, [
    /^\/etc\/roost\/roost\.yaml:2: memory\.bodies cannot be "none"/,
    /^ROOST_MOUNT_MODE cannot be "both"; it has to be "single" or "shared"$/,
    /^ROOST_MEMORY_BODIES cannot be "1"; it has to be a size/
  ])
})

t.test('variables that look like settings are told, and others are not', async t => {
  const environment = { ROOST_DATTA: '/x', ROOST_CONFIG: PATH, ROOST_DATA: '/y', HOME: '/' }
  t.strictSame(resolved('', environment).strangers, ['ROOST_DATTA'])
})

t.test('settings are written in a form that is read again', async t => {
  const text = Object.entries(settingsOf(configOf('log: { sync_after: 1500ms, gather: 0s }')))
  t.match(Object.fromEntries(text), {
    'log.sync_after': '1500ms',
    'log.gather': '0ms',
    'memory.contents': '64MiB',
    'mount.force': 'false',
    'mount.xattr': 'false',
    data: /^$/
  })
})
