/**
 * What is asked of the mount so that the kernel tells watchers of an inode (inotify).
 *
 * Events come of operations alone. So one is asked for that succeeds and does nothing: its time or
 * place is one that nothing can have, by which the serving side knows it, whoever asks and as often
 * as it is sent. The kernel then says that the inode was modified.
 */

/** For a directory: its mtime, and nothing else, is to be this; far below what a file can have. */
export const WAKE_MTIME = { seconds: -1_000_000_000_000n, nanoseconds: 271_828_182n } as const

export const WAKE_MTIME_NS = WAKE_MTIME.seconds * 1_000_000_000n + WAKE_MTIME.nanoseconds

/**
 * For a file: room is to be made here without its getting longer, far above any file's end. The
 * answer has no attributes, so the kernel cannot take old ones for new where two changes meet.
 */
export const WAKE_RANGE = { mode: 1, offset: 2 ** 52 + 271_828_182, length: 1 } as const
