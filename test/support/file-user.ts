/**
 * A program that has a file open and does with it what it is told: it writes, locks and renames,
 * and waits as the kernel has it wait. A signal that it handles ends a wait, as not every program
 * starts again what a signal has interrupted.
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import type { Teardown } from './roost-mount.ts'

const PATIENCE_MS = 20_000

const SCRIPT = `
use Fcntl qw(:DEFAULT :flock);
$| = 1;
$SIG{USR1} = sub {};
sysopen(F, $ARGV[0], O_RDWR | O_CREAT | O_APPEND) or die "cannot open: $!";
print "open\n";
while (<STDIN>) {
  chomp;
  my $lock = pack('s! s! x4 q q i x4', F_WRLCK, 0, 0, 0, 0);
  my ($verb, $word) = split / /, $_, 2;
  my $done = $verb eq 'write' ? syswrite(F, $word)
    : $verb eq 'flock' ? flock(F, LOCK_EX)
    : $verb eq 'lock' ? fcntl(F, F_SETLKW, $lock)
    : $verb eq 'rename' ? rename($ARGV[0], $word)
    : die "no such verb: $verb";
  print $done ? "done\\n" : (map { ($!{$_}) ? "$_\\n" : () } qw(EIO ENOLCK EINTR))[0] // "$!\\n";
}
`

/** How it went, and how long it took. */
export interface Outcome {
  /** 'done', or the name of an error. */
  readonly answer: string
  readonly ms: number
}

export class FileUser {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string, undefined>
  #errors = ''

  private constructor(path: string) {
    this.#child = spawn('perl', ['-MErrno', '-e', SCRIPT, path], { stdio: 'pipe' })
    const { stdout, stderr } = this.#child
    if (stdout === null) throw new Error('the program has no output')
    stderr?.on('data', (text: Buffer) => (this.#errors += text.toString()))
    this.#answers = createInterface({ input: stdout })[Symbol.asyncIterator]()
  }

  /** @param path made if it is not there */
  static async open(t: Teardown, path: string): Promise<FileUser> {
    const user = new FileUser(path)
    t.teardown(() => user.kill())
    await user.#answer()
    return user
  }

  /** @param command 'write TEXT', 'flock', 'lock' (of all bytes, by fcntl) or 'rename PATH' */
  async do(command: string): Promise<Outcome> {
    const began = performance.now()
    this.#child.stdin?.write(`${command}\n`)
    const answer = await this.#answer()
    return { answer, ms: performance.now() - began }
  }

  /** Ends a wait of the program, which lives on. */
  interrupt(): void {
    this.#child.kill('SIGUSR1')
  }

  /** kill -9. Where it waits for something that does not end, it goes later. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = new Promise(resolve => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await Promise.race([exited, pause(PATIENCE_MS, undefined, { ref: false })])
  }

  async #answer(): Promise<string> {
    const late = { value: 'no answer', done: false } as const
    const { value, done } = await Promise.race<IteratorResult<string, undefined>>([
      this.#answers.next(),
      pause(PATIENCE_MS, late, { ref: false })
    ])
    if (done === true) throw new Error(`the program has ended: ${this.#errors}`)
    return value
  }
}
