import { shellOk } from '../mount/place.ts'

/**
 * Everything below a directory, as another process sees it: type, mode, owner, times to the
 * nanosecond, links, targets and the hash of every file. A line a name, sorted.
 */
export async function treeListing(directory: string): Promise<string[]> {
  const columns = '%y %m %U %G %T@ %l %P'
  const files = `find . -type f -printf '${columns} %s %n\\n'`
  const others = `find . ! -type f -printf '${columns}\\n'`
  const hashes = 'find . -type f -print0 | xargs -0 -r sha256sum'
  const script = `cd "$1" && { ${files}; ${others}; ${hashes}; } | LC_ALL=C sort`
  const text = await shellOk(script, directory)
  return text.trimEnd().split('\n')
}
