import type { SQLInputValue } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { RealmError } from '../errors.ts';
import type { SqliteAnswer, SqliteCall } from './sqlite-messages.ts';

/** SQLite's primary result codes that have a meaning of their own here; https://sqlite.org/rescode.html */
const busy = 5;
const locked = 6;
const constraint = 19;

type Waiting = PromiseWithResolvers<SqliteAnswer>;

/** This side of the thread that holds the SQLite file: calls are answered in their order. */
export class SqliteClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #opened: Promise<SqliteAnswer>;
  #calls = 0;
  #lost: Error | undefined;

  /** `lock`: no other server may have the same file. */
  constructor(path: string, lock: boolean) {
    this.#worker = new Worker(new URL('./sqlite-thread.ts', import.meta.url), {
      name: 'realm-store',
      env: {},
      argv: [],
      execArgv: ['--disable-warning=ExperimentalWarning'],
      workerData: { path, lock },
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    });
    this.#worker.on('message', (answer: SqliteAnswer) => this.#deliver(answer));
    this.#worker.on('error', error => this.#fail(error as Error));
    this.#worker.on('exit', () => this.#fail(new Error('its thread ended')));
    this.#opened = this.#expect(0);
    // Whoever asks hears of it.
    this.#opened.catch(() => {});
  }

  /** Resolves once the file is open. Throws `store_unavailable`, and `store_locked` where another server has it. */
  async opened(): Promise<void> {
    await this.#opened;
  }

  /** `begins`: a transaction, with this statement as its first. */
  async query(sql: string, parameters: readonly SQLInputValue[], begins = false): Promise<SqliteAnswer> {
    const id = ++this.#calls;
    const expected = this.#expect(id);
    if (!this.#lost) this.#worker.postMessage({ kind: 'query', id, sql, parameters, begins } satisfies SqliteCall);
    const answer = await expected;
    if (answer.failure) throw refused(answer.failure.message, answer.failure.errcode);
    return answer;
  }

  async close(): Promise<void> {
    if (this.#lost) return;
    const id = ++this.#calls;
    const closed = this.#expect(id);
    this.#worker.postMessage({ kind: 'close', id } satisfies SqliteCall);
    await closed;
    this.#lost = new RealmError('store_unavailable', 'the store was closed');
    await this.#worker.terminate();
  }

  #expect(id: number): Promise<SqliteAnswer> {
    const waiting = Promise.withResolvers<SqliteAnswer>();
    if (this.#lost) waiting.reject(this.#lost);
    else {
      this.#waiting.set(id, waiting);
      this.#worker.ref();
    }
    return waiting.promise;
  }

  #deliver(answer: SqliteAnswer): void {
    this.#waiting.get(answer.id)?.resolve(answer);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.unref();
  }

  #fail(cause: Error & { errcode?: number }): void {
    this.#lost ??= refused(cause.message, cause.errcode);
    for (const { reject } of this.#waiting.values()) reject(this.#lost);
    this.#waiting.clear();
  }
}

/** SQLite's failure with a name of ours; what breaks a rule of a table is the caller's mistake. Extended codes have the primary one in their lowest byte. */
function refused(message: string, errcode = 0): Error {
  const primary = errcode & 0xff;
  if (primary === constraint) return new Error(message);
  if (primary === busy || primary === locked)
    return new RealmError('store_locked', 'another server uses this store; stop it, or give each a store of its own');
  return new RealmError('store_unavailable', `the store cannot be used: ${message}`);
}
