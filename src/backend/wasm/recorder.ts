/** Writes operations into the thread pool's command buffer, and has the pool work through them. */
import { maxTile } from '../../kernels/activation.ts';
import type { Preempt } from '../backend.ts';
import { mostCommands } from './command-buffer.ts';
import type { Fields, Op, Params } from './ops/op.ts';
import type { ThreadPool } from './thread-pool.ts';

export class Recorder {
  readonly #pool: ThreadPool;
  readonly #begin: () => void;
  /** Turns at a command's items in all, so that every thread gets several. */
  readonly #turns: number;
  /** Memory and rows of the last command, if it was a row operation; else -1. */
  #rowsMemory = -1;
  #rows = 0;
  /** Operations of this thread alone, behind the commands. */
  #own: (() => void)[] = [];

  /** `begin` is called before the first command of a step is written. */
  constructor(pool: ThreadPool, begin: () => void) {
    this.#pool = pool;
    this.#begin = begin;
    this.#turns = pool.threads * 4;
  }

  /** Threads that share the items of an operation. */
  get threads(): number {
    return this.#pool.threads;
  }

  /** Records an operation in memory `memory`. */
  record<P extends Params>(memory: number, op: Op<P>, fields: NoInfer<Fields<P>>): void {
    const items = op.items(fields);
    this.#write(memory, op, items, this.#chunk(op, items, fields), fields);
  }

  /**
   * Records an operation in which row i of what it writes depends on nothing but rows i. Such operations follow each
   * other on the thread that began with a row; `whole` says that they all count rows from the buffers' first.
   */
  recordRows<P extends Params>(memory: number, op: Op<P>, whole: boolean, fields: NoInfer<Fields<P>>): void {
    const rows = op.items(fields);
    if (whole && this.#rowsMemory === memory && this.#rows === rows) this.#pool.commands.link('same');
    this.#write(memory, op, rows, this.#rowChunk(rows), fields);
    if (!whole || this.#pool.commands.length === 0) return;
    this.#rowsMemory = memory;
    this.#rows = rows;
  }

  /** How many items a thread claims at once. */
  #chunk<P extends Params>(op: Op<P>, items: number, fields: Fields<P>): number {
    return op.chunk ? Math.max(1, op.chunk(fields, items, this.#turns)) : Math.ceil(items / this.#turns);
  }

  /** Few rows are a turn for each thread: those of a tile of activations lie in the same lines of cache. */
  #rowChunk(rows: number): number {
    return Math.max(Math.ceil(rows / this.#turns), Math.min(Math.ceil(rows / this.#pool.threads), maxTile));
  }

  #write<P extends Params>(memory: number, op: Op<P>, items: number, chunk: number, fields: Fields<P>): void {
    if (items === 0) return;
    const { commands } = this.#pool;
    if (this.#own.length > 0) this.execute();
    if (commands.length === 0) this.#begin();
    commands.push(op, memory, items, chunk, fields);
    this.#rowsMemory = -1;
    // A step of more operations (many adapters) runs in pieces.
    if (commands.length === mostCommands) this.execute();
  }

  /** Says that the last command and the next have nothing to do with each other: nobody waits in between. */
  free(): void {
    if (this.#pool.commands.length > 0) this.#pool.commands.link('free');
  }

  /** Has what a step needs before its first command, if none is recorded yet. */
  begin(): void {
    if (this.#pool.commands.length === 0) this.#begin();
  }

  /** Records what this thread does alone when the commands so far have run. A step ends with such operations, or runs in pieces. */
  alone(operation: () => void): void {
    this.#own.push(operation);
  }

  /** Runs what is recorded; returns the fraction of it that was done. */
  execute(preempt?: Preempt): number {
    this.#rowsMemory = -1;
    const own = this.#own;
    if (own.length > 0) this.#own = [];
    const fraction = this.#pool.commands.length > 0 ? this.#pool.run(preempt) : 1;
    if (fraction === 1) for (const operation of own) operation();
    return fraction;
  }
}
