import { exportTree, findPath, type ExportTarget } from '../../lib/export/export-tree.ts'
import type { TreeView } from '../../lib/keeper/tree-view.ts'

/** What an export wrote, by path: bytes of files, and in words what else there is. */
export type ExportedMap = Record<string, string>

/** Exports a view into memory. @throws Error what the export had to complain about */
export async function exportedMap(view: TreeView): Promise<ExportedMap> {
  const written: ExportedMap = {}
  const target: ExportTarget = {
    makeDirectory: path => (written[path] = 'directory'),
    makeFile: path => {
      let bytes = Buffer.alloc(0)
      return {
        write: (source, position) => {
          const grown = Buffer.alloc(Math.max(bytes.length, position + source.length))
          grown.set(bytes)
          grown.set(source, position)
          bytes = grown
        },
        close: size => {
          const whole = Buffer.alloc(size)
          whole.set(bytes.subarray(0, size))
          written[path] = `file ${whole.toString('latin1')}`
        }
      }
    },
    makeSymlink: (path, to) => (written[path] = `symlink ${to}`),
    makeLink: (existing, path) => (written[path] = `link ${existing}`),
    makeNode: (path, mode) => (written[path] = `node ${mode}`),
    remove: path => Reflect.deleteProperty(written, path),
    setAttributes: (path, { mode, mtime }) => {
      written[path] = `${mode.toString(8)} ${mtime} ${written[path] ?? ''}`
    }
  }
  const failures: string[] = []
  await exportTree(await findPath(view), {
    view,
    target,
    onFailure: (path, why) => failures.push(`${path}: ${why}`),
    onProgress: () => undefined,
    again: undefined
  })
  if (failures.length > 0) throw new Error(failures.join('\n'))
  return written
}
