/**
 * The house rules that neither the compiler nor the linter knows: who may import whom, what only
 * some folders may touch, how long a line, a function and a file may be, and that no file is dead.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * The rooms of lib/, from the bottom up: each may import what stands on an earlier line, and
 * itself. A file directly in lib/ counts by its name. The first line is one room.
 */
const LAYERS = [
  ['util', 'ids', 'errors'],
  ['io', 'stats'],
  ['feed'],
  ['mail', 'tree', 'council'],
  ['volume', 'blob', 'store'],
  ['keeper', 'vfs'],
  ['replication'],
  ['fsck', 'export', 'fuse', 'peer'],
  ['host'],
  ['config', 'replica'],
  ['admin', 'index'],
  ['cli']
]

/** Rooms that may touch the machine: its files, sockets, clocks, processes and chance. */
const MACHINE_ROOMS = ['io', 'cli']

/** What every room may use, being functions of their arguments alone. */
const PURE_MODULES = ['node:buffer', 'node:crypto', 'node:path', 'node:util', 'node:zlib']

/** Packages, and modules of Node.js beyond those, with the rooms that may know them. */
const MODULE_ROOMS: Record<string, string[]> = {
  '@hyperswarm/secret-stream': ['peer'],
  commander: ['cli'],
  debug: ['io'],
  koffi: ['io'],
  level: ['store'],
  protomux: ['peer'],
  yaml: ['config'],
  'node:worker_threads': ['fuse', 'host', 'io']
}

const MACHINE_GLOBALS = new Set([
  'Date',
  'clearInterval',
  'clearTimeout',
  'console',
  'fetch',
  'performance',
  'process',
  'setImmediate',
  'setInterval',
  'setTimeout'
])

const LINES_MAX = 500
const COLUMNS_MAX = 100
const FUNCTION_LINES_MAX = 70

interface Source {
  path: string
  text: string
  lines: string[]
  tree: ts.SourceFile
}

/** Something that a file refers to by name, and where. */
interface Reference {
  specifier: string
  line: number
}

const sources = ['lib', 'bin', 'test', 'examples', 'scripts'].flatMap(readSources)
const library = sources.filter(({ path }) => path.startsWith('lib/'))

t.test('every room of lib/ has its place in the layers', async t => {
  const known = new Set(LAYERS.flat())
  t.same(
    [...new Set(library.map(roomOf))].filter(room => !known.has(room)),
    []
  )
})

t.test('a room imports only from the rooms below it', async t => {
  const problems = library.flatMap(source =>
    referencesOf(source).flatMap(({ specifier, line }) => {
      if (!specifier.startsWith('.')) return []
      const target = roomOf({ path: pathOf(source, specifier) })
      return mayImport(roomOf(source), target) ? [] : [`${source.path}:${line} ${specifier}`]
    })
  )
  t.same(problems, [])
})

t.test('a module of Node.js or a package is imported only where it belongs', async t => {
  const problems = library.flatMap(source =>
    referencesOf(source).flatMap(({ specifier, line }) =>
      specifier.startsWith('.') || mayUse(roomOf(source), specifier)
        ? []
        : [`${source.path}:${line} ${specifier}`]
    )
  )
  t.same(problems, [])
})

t.test('time, timers and the process are touched in io/ and cli/ only', async t => {
  const outside = library.filter(source => !MACHINE_ROOMS.includes(roomOf(source)))
  t.same(
    outside.flatMap(source => usesOf(source, MACHINE_GLOBALS)),
    []
  )
})

t.test('chance comes from a seed or through io/', async t => {
  const problems = sources
    .filter(source => roomOf(source) !== 'io')
    .flatMap(source => [
      ...matches(source, /\bMath\.random\b/),
      ...(source.path.startsWith('lib/') ? usesOf(source, CHANCE_OF_CRYPTO) : [])
    ])
  t.same(problems, [])
})

const CHANCE_OF_CRYPTO = new Set(['randomBytes', 'randomFillSync', 'randomInt', 'randomUUID'])

t.test(`a line has at most ${COLUMNS_MAX} columns, a file ${LINES_MAX} lines`, async t => {
  const problems = sources.flatMap(({ path, lines }) => [
    ...(lines.length > LINES_MAX ? [`${path} has ${lines.length} lines`] : []),
    ...lines.flatMap((line, n) =>
      line.length > COLUMNS_MAX ? [`${path}:${n + 1} has ${line.length} columns`] : []
    )
  ])
  t.same(problems, [])
})

t.test(`a function has at most ${FUNCTION_LINES_MAX} lines`, async t => {
  const problems = sources.flatMap(source =>
    descendants(source.tree)
      .filter(node => ts.isFunctionLike(node) && 'body' in node && node.body !== undefined)
      .map(node => [lineOf(source, node.getStart()), lineOf(source, node.getEnd())] as const)
      .filter(([first, last]) => last - first >= FUNCTION_LINES_MAX)
      .map(([first, last]) => `${source.path}:${first} has ${last - first + 1} lines`)
  )
  t.same(problems, [])
})

t.test('every file of lib/ is reached from the program or from the public surface', async t => {
  const byPath = new Map(sources.map(source => [source.path, source]))
  const reached = new Set<string>()
  const reach = (path: string): void => {
    const source = byPath.get(path)
    if (source === undefined || reached.has(path)) return
    reached.add(path)
    for (const { specifier } of referencesOf(source)) {
      if (specifier.startsWith('.')) reach(pathOf(source, specifier))
    }
  }
  reach('lib/index.ts')
  for (const { path } of sources) if (path.startsWith('bin/')) reach(path)
  t.same(
    library.map(({ path }) => path).filter(path => !reached.has(path)),
    []
  )
})

t.test('nothing is left for later, and no test is left out', async t => {
  const later = new RegExp('\\b(?:TO' + 'DO|FIX' + 'ME)\\b')
  const leftOut = /\bt\.(?:skip|todo|only)\(|\b(?:skip|todo|only): (?:true|['"`])/
  const tests = sources.filter(({ path }) => path.startsWith('test/'))
  t.same(
    sources.flatMap(source => matches(source, later)),
    []
  )
  t.same(
    tests.flatMap(source => matches(source, leftOut)),
    []
  )
})

function readSources(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map(name => join(folder, name))
    .filter(path => ['.ts', '.mjs', '.js'].includes(extname(path)))
    .filter(path => !path.startsWith('test/fixtures/'))
    .map(path => {
      const text = readFileSync(join(ROOT, path), 'utf8')
      const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)
      return { path, text, lines: text.trimEnd().split('\n'), tree }
    })
}

/** The folder of lib/ that a file is in, or the name of a file directly in it. */
function roomOf({ path }: { path: string }): string {
  const [, first = ''] = path.split('/')
  return first.replace(/\.ts$/, '')
}

function mayImport(from: string, target: string): boolean {
  const [layer, targetLayer] = [layerOf(from), layerOf(target)]
  return from === target || targetLayer < layer || (layer === 0 && targetLayer === 0)
}

function layerOf(room: string): number {
  return LAYERS.findIndex(layer => layer.includes(room))
}

function mayUse(room: string, specifier: string): boolean {
  if (PURE_MODULES.includes(specifier)) return true
  const rooms = MODULE_ROOMS[specifier] ?? []
  return rooms.includes(room) || (specifier.startsWith('node:') && MACHINE_ROOMS.includes(room))
}

/** What a file imports, exports from elsewhere, or names by a relative path, as threads are. */
function referencesOf(source: Source): Reference[] {
  return descendants(source.tree).flatMap(node => {
    if (!ts.isStringLiteral(node)) return []
    const { parent, text } = node
    const isModule = ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent)
    const isImportCall = ts.isCallExpression(parent) && parent.expression.kind === importKeyword
    if (!isModule && !isImportCall && !/^\.\.?\//.test(text)) return []
    return [{ specifier: text, line: lineOf(source, node.getStart()) }]
  })
}

const importKeyword = ts.SyntaxKind.ImportKeyword

/** The source that a file refers to; a thread may be named with the ending of its build. */
function pathOf({ path }: Source, specifier: string): string {
  return normalize(join(dirname(path), specifier)).replace(/(?:\.[jt]s)?$/, '.ts')
}

/** Where a file uses one of `names`, other than as the name of a member. */
function usesOf(source: Source, names: ReadonlySet<string>): string[] {
  return descendants(source.tree)
    .filter(node => ts.isIdentifier(node))
    .filter(node => names.has(node.text) && !isMemberName(node))
    .map(node => `${source.path}:${lineOf(source, node.getStart())} ${node.text}`)
}

function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node
  return ts.isClassElement(parent) || ts.isTypeElement(parent) || ts.isPropertyAssignment(parent)
}

function matches({ path, lines }: Source, pattern: RegExp): string[] {
  return lines.flatMap((line, n) => (pattern.test(line) ? [`${path}:${n + 1} ${line.trim()}`] : []))
}

function descendants(node: ts.Node): ts.Node[] {
  const found: ts.Node[] = []
  const visit = (child: ts.Node): void => {
    found.push(child)
    ts.forEachChild(child, visit)
  }
  ts.forEachChild(node, visit)
  return found
}

function lineOf({ tree }: Source, position: number): number {
  return tree.getLineAndCharacterOfPosition(position).line + 1
}
