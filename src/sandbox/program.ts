import { createHash } from 'node:crypto';
import { RealmError } from '../errors.ts';
import { ModuleError } from './byte-reader.ts';
import { DEFAULT_MEMORY_MB } from './limits.ts';
import type { ModuleLayout } from './module-reader.ts';
import type { Program } from './types.ts';
import { limitModule, validateProgram } from './validate.ts';

/** A Program, and its compiled forms: one for each memory limit that it is used with. */
export class LoadedProgram implements Program {
  readonly name: string;
  readonly digest: string;
  readonly module: WebAssembly.Module;
  readonly trusted: boolean;
  readonly #layout: ModuleLayout;
  readonly #modules: Map<number, WebAssembly.Module>;

  private constructor(
    name: string,
    bytes: Uint8Array,
    trusted: boolean,
    layout: ModuleLayout,
    first: { memoryMb: number; module: WebAssembly.Module },
  ) {
    this.name = name;
    this.digest = createHash('sha256').update(bytes).digest('hex');
    this.module = first.module;
    this.trusted = trusted;
    this.#layout = layout;
    this.#modules = new Map([[first.memoryMb, first.module]]);
  }

  /** Throws RealmError `program_invalid`. */
  static async load(
    name: string,
    bytes: Uint8Array,
    { trusted = false, memoryMb = DEFAULT_MEMORY_MB }: { trusted?: boolean; memoryMb?: number } = {},
  ): Promise<LoadedProgram> {
    const own = bytes.slice();
    try {
      const layout = validateProgram(own);
      const module = await WebAssembly.compile(limitModule(layout, memoryMb));
      return new LoadedProgram(name, own, trusted, layout, { memoryMb, module });
    } catch (error) {
      throw invalid(name, error);
    }
  }

  /** The module that cannot use more than `memoryMb`; throws RealmError `program_invalid` when it starts with more. */
  async moduleFor(memoryMb: number): Promise<WebAssembly.Module> {
    const known = this.#modules.get(memoryMb);
    if (known) return known;
    try {
      const module = await WebAssembly.compile(limitModule(this.#layout, memoryMb));
      this.#modules.set(memoryMb, module);
      return module;
    } catch (error) {
      throw invalid(this.name, error);
    }
  }
}

function invalid(name: string, error: unknown): unknown {
  if (!(error instanceof ModuleError || error instanceof WebAssembly.CompileError)) return error;
  const reason = error instanceof ModuleError ? error.message : `it does not compile: ${error.message}`;
  return new RealmError('program_invalid', `Program ${name} cannot be used: ${reason}.`, { cause: error });
}
