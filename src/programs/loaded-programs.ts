import type { Program, Sandbox } from '../sandbox/types.ts';

export interface Loading {
  readonly name: string;
  /** Of the module. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** That its runs will have. */
  readonly memoryMb: number;
  module(): Promise<Uint8Array>;
}

interface Loaded {
  readonly size: number;
  readonly program: Promise<Program>;
}

/** Modules that are kept read, in bytes; those used last stay. Runs hold their own. */
const mostBytes = 128 * 2 ** 20;
/** Programs that are checked at once: each has a process of its own meanwhile. */
const lanes = 4;

/** Programs that were read and checked, each once for a memory limit. */
export class LoadedPrograms {
  readonly #sandbox: Pick<Sandbox, 'load'>;
  readonly #mostBytes: number;
  /** The one used longest ago first. */
  readonly #loaded = new Map<string, Loaded>();
  #bytes = 0;
  /** The last load of each lane. */
  readonly #last: Promise<unknown>[] = Array.from({ length: lanes }, () => Promise.resolve());
  #next = 0;

  constructor(sandbox: Pick<Sandbox, 'load'>, bytes = mostBytes) {
    this.#sandbox = sandbox;
    this.#mostBytes = bytes;
  }

  /** Throws `program_invalid`, and what `module` throws. */
  load(wanted: Loading): Promise<Program> {
    const { name, digest, memoryMb, size } = wanted;
    // Its name is part of what is said of it.
    const key = `${memoryMb} ${digest} ${name}`;
    const known = this.#loaded.get(key) ?? { size, program: this.#read(wanted) };
    this.#drop(key);
    this.#loaded.set(key, known);
    this.#bytes += known.size;
    for (const oldest of this.#loaded.keys()) if (this.#bytes > this.#mostBytes && oldest !== key) this.#drop(oldest);
    // What failed is tried again when it is wanted again.
    known.program.catch(() => {
      if (this.#loaded.get(key) === known) this.#drop(key);
    });
    return known.program;
  }

  #read({ name, memoryMb, module }: Loading): Promise<Program> {
    const lane = this.#next++ % lanes;
    const read = async () => this.#sandbox.load(name, await module(), { memoryMb });
    const program = this.#last[lane]!.then(read);
    this.#last[lane] = program.catch(() => {});
    return program;
  }

  #drop(key: string): void {
    const gone = this.#loaded.get(key);
    if (gone && this.#loaded.delete(key)) this.#bytes -= gone.size;
  }
}
