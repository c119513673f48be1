/**
 * A step is a flat list of commands in shared memory, the same for every thread. A command has a number of items; threads
 * claim runs of them until none is left. Then they meet at a barrier, unless the command is linked to the next one.
 */
import { sharedBytes } from '../../platform/shared-bytes.ts';
import type { Preempt } from '../backend.ts';
import { type Fields, mostParams, type Op, type Params } from './ops/op.ts';
import { ops } from './ops/table.ts';
import type { ThreadContext } from './thread-context.ts';

/** 32-bit words of a command: operation, items, items claimed at once, memory, link, then arguments. */
const argumentsAt = 5;
const commandWords = argumentsAt + mostParams;
export const mostCommands = 8192;

/**
 * How a command is linked to the next one: they `meet` in between; or whoever does some items does the `same` items of the
 * next one (row operations: a row depends on nothing but that row); or the two have nothing to do with each other and
 * nobody waits (`free`).
 */
const links = { meet: 0, same: 1, free: 2 } as const;
export type Link = keyof typeof links;

/** A command as it was recorded, for those who count what a step costs. */
export interface Command {
  readonly operation: string;
  readonly items: number;
  readonly link: Link;
  /** Its arguments by name. */
  readonly fields: Readonly<Record<string, number>>;
}

/** Words of the control block. */
const generation = 0;
const commandCount = 1;
const arrived = 2;
const phase = 3;
const sleepers = 4;
const failed = 5;
const firstPhase = 6;
const partCount = 7;
export const stopPhase = 8;
const counters = 9;

/** Turns of the loop that a thread waits awake before it sleeps: a tenth of a millisecond. */
const spins = 50_000;

/** What became of a step: `failed`, a kernel threw; `stalled`, a thread never arrived; `preempted`, it was told to stop. */
export type Outcome = 'done' | 'failed' | 'stalled' | 'preempted';

/** The shared state of a pool of threads: the commands, and where everyone stands. */
export class CommandBuffer {
  readonly control: Int32Array;
  readonly threads: number;
  readonly #words: Int32Array;
  readonly #floats: Float32Array;
  /** The arguments of each command; a view is made once, when a command stands there for the first time. */
  readonly #intArguments = new Array<Int32Array>(mostCommands);
  readonly #floatArguments = new Array<Float32Array>(mostCommands);
  readonly #patienceMs: number;
  #count = 0;
  #done = 0;

  /** `patienceMs`: how long a thread waits for one that does not arrive; no command takes a tenth of the default. */
  constructor(
    threads: number,
    shared = sharedBytes(4 * (counters + mostCommands * (1 + commandWords))),
    patienceMs = 20_000,
  ) {
    this.threads = threads;
    this.#patienceMs = patienceMs;
    this.control = new Int32Array(shared, 0, counters + mostCommands);
    this.#words = new Int32Array(shared, 4 * this.control.length);
    this.#floats = new Float32Array(shared, 4 * this.control.length);
  }

  get shared(): ArrayBufferLike {
    return this.control.buffer;
  }

  /** Parts (memories, kernels) that a thread must have before it works. */
  get parts(): number {
    return Atomics.load(this.control, partCount);
  }

  set parts(count: number) {
    Atomics.store(this.control, partCount, count);
  }

  /** Commands of the step that is being written. */
  get length(): number {
    return this.#count;
  }

  /** Commands of the last step that were worked through before it ended. */
  get done(): number {
    return this.#done;
  }

  /** The commands of the last step, until the next one is recorded. */
  recorded(): Command[] {
    return Array.from({ length: this.control[commandCount] }, (_, i) => {
      const at = i * commandWords;
      const op = ops[this.#words[at]];
      const link = (Object.keys(links) as Link[]).find(name => links[name] === this.#words[at + 4])!;
      const fields = op.read(this.#words, this.#floats, at + argumentsAt);
      return { operation: op.name, items: this.#words[at + 1], link, fields };
    });
  }

  /** Appends a command: an operation in memory `memory`, of which threads claim `chunk` items at once. */
  push<P extends Params>(op: Op<P>, memory: number, items: number, chunk: number, fields: NoInfer<Fields<P>>): void {
    const at = this.#count++ * commandWords;
    const words = this.#words;
    words[at] = op.number;
    words[at + 1] = items;
    words[at + 2] = chunk;
    words[at + 3] = memory;
    words[at + 4] = links.meet;
    op.write(words, this.#floats, at + argumentsAt, fields);
  }

  /** Links the last command to the next one. */
  link(link: Link): void {
    this.#words[(this.#count - 1) * commandWords + 4] = links[link];
  }

  /** Starts the commands on every thread and works through them on this one; `preempt` is asked between them whether to stop there. */
  start(context: ThreadContext, preempt?: Preempt): Outcome {
    const count = this.#count;
    this.#count = 0;
    this.control.fill(0, counters, counters + count);
    this.control[firstPhase] = this.control[phase];
    this.control[commandCount] = count;
    const step = Atomics.add(this.control, generation, 1) + 1;
    if (this.threads > 1) Atomics.notify(this.control, generation);
    if (!this.work(context, step, preempt)) return 'stalled';
    if (Atomics.exchange(this.control, failed, 0) !== 0) return 'failed';
    return this.#done === count ? 'done' : 'preempted';
  }

  /** Sleeps until the next start; returns its number. A negative generation ends the pool. */
  await(seen: number): number {
    for (let i = 0; i < spins; i++) {
      if (Atomics.load(this.control, generation) !== seen) return this.control[generation];
    }
    while (Atomics.load(this.control, generation) === seen) Atomics.wait(this.control, generation, seen);
    return Atomics.load(this.control, generation);
  }

  stop(): void {
    Atomics.store(this.control, generation, -1);
    Atomics.notify(this.control, generation);
  }

  /**
   * Works through the commands of step number `step`; a kernel that throws is noted, and the barriers still met. False: another
   * thread is gone.
   */
  work(context: ThreadContext, step: number, preempt?: Preempt): boolean {
    const words = this.#words;
    const count = this.control[commandCount];
    let next = this.control[firstPhase];
    for (let first = 0, last = 0; first < count; first = ++last) {
      while (words[last * commandWords + 4] === links.same) last++;
      try {
        this.#claim(context, first, last);
      } catch {
        Atomics.store(this.control, failed, 1);
      }
      if (words[last * commandWords + 4] === links.free) continue;
      next = (next + 1) | 0;
      // Said before anybody passes this barrier: all threads stop at it, or none.
      if (preempt?.()) Atomics.store(this.control, stopPhase, next);
      if (!this.#meet(next)) return false;
      if (this.#stopped(next, step)) {
        this.#done = last + 1;
        return true;
      }
    }
    this.#done = count;
    return true;
  }

  /** Whether the step ended at this barrier. Who looks late may find that the next one has begun, and was told to stop elsewhere. */
  #stopped(next: number, step: number): boolean {
    return Atomics.load(this.control, stopPhase) === next || Atomics.load(this.control, generation) !== step;
  }

  /** Claims items of command `first` until none is left, and does them in that command and those up to `last`. */
  #claim(context: ThreadContext, first: number, last: number): void {
    const items = this.#words[first * commandWords + 1];
    const chunk = this.#words[first * commandWords + 2];
    for (;;) {
      const item = Atomics.add(this.control, counters + first, chunk);
      if (item >= items) return;
      const count = Math.min(chunk, items - item);
      for (let command = first; command <= last; command++) this.#run(context, command, item, count);
    }
  }

  #run(context: ThreadContext, command: number, item: number, count: number): void {
    const at = command * commandWords;
    const [from, to] = [at + argumentsAt, at + commandWords];
    this.#intArguments[command] ??= this.#words.subarray(from, to);
    this.#floatArguments[command] ??= this.#floats.subarray(from, to);
    const instance = context.instances[this.#words[at + 3]];
    ops[this.#words[at]].run(
      instance,
      context,
      item,
      count,
      this.#intArguments[command],
      this.#floatArguments[command],
    );
  }

  /** The barrier: phases count up for ever (and wrap), so that a late thread cannot miss one. False: somebody is gone. */
  #meet(next: number): boolean {
    const { control, threads } = this;
    if (((Atomics.add(control, arrived, 1) + 1) | 0) === Math.imul(next, threads)) {
      Atomics.store(control, phase, next);
      if (Atomics.load(control, sleepers) > 0) Atomics.notify(control, phase);
      return true;
    }
    for (let i = 0; i < spins; i++) {
      if (((Atomics.load(control, phase) - next) | 0) >= 0) return true;
    }
    return this.#sleep(next);
  }

  #sleep(next: number): boolean {
    const { control } = this;
    const passed = () => ((Atomics.load(control, phase) - next) | 0) >= 0;
    Atomics.add(control, sleepers, 1);
    let here = true;
    while (here && !passed()) here = Atomics.wait(control, phase, (next - 1) | 0, this.#patienceMs) !== 'timed-out';
    Atomics.sub(control, sleepers, 1);
    return here || passed();
  }
}
