import { platform } from '#platform';
import { RealmError } from '../errors.ts';
import { hex } from '../platform/hex.ts';
import { ModuleError } from './byte-reader.ts';
import { instrument } from './fuel/instrument.ts';
import { CompileFailed } from './guest-host.ts';
import type { ModuleLayout } from './module-reader.ts';
import type { Program } from './types.ts';
import { limitModule, validateProgram } from './validate.ts';

/** A module as it is compiled: with the memory limit of whoever runs it, metered if it is a tenant's own. */
export interface LimitedModule {
  readonly bytes: Uint8Array;
  /** Of these bytes. */
  readonly digest: string;
}

/** A Program that was read and found to be in order; one module for each memory limit that it is used with. */
export class LoadedProgram implements Program {
  readonly name: string;
  readonly digest: string;
  readonly trusted: boolean;
  /** The host does what it does. */
  readonly direct: boolean;
  readonly #layout: ModuleLayout;
  readonly #modules = new Map<number, LimitedModule>();

  /** Throws RealmError `program_invalid`. */
  constructor(name: string, bytes: Uint8Array, trusted: boolean, direct = false) {
    const own = bytes.slice();
    this.name = name;
    this.digest = sha256(own);
    this.trusted = trusted;
    this.direct = direct;
    this.#layout = this.#checked(() => validateProgram(own));
  }

  /** The module that cannot use more than `memoryMb`; throws RealmError `program_invalid` when it starts with more. */
  moduleFor(memoryMb: number): LimitedModule {
    let module = this.#modules.get(memoryMb);
    if (!module) {
      const bytes = this.#checked(() => this.#prepared(memoryMb));
      module = { bytes, digest: sha256(bytes) };
      this.#modules.set(memoryMb, module);
    }
    return module;
  }

  /** A tenant's own counts what it computes. */
  #prepared(memoryMb: number): Uint8Array {
    const limited = limitModule(this.#layout, memoryMb);
    return this.trusted ? limited : instrument(limited);
  }

  /** What was found wrong with it, as whoever sent it reads it. */
  invalid(error: unknown): unknown {
    if (!(error instanceof ModuleError || error instanceof CompileFailed)) return error;
    const reason = error instanceof ModuleError ? error.message : `it does not compile: ${error.message}`;
    return new RealmError('program_invalid', `Program ${this.name} cannot be used: ${reason}.`, { cause: error });
  }

  #checked<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw this.invalid(error);
    }
  }
}

function sha256(bytes: Uint8Array): string {
  const digest = platform.digests.sha256();
  digest.update(bytes);
  return hex(digest.digest());
}
