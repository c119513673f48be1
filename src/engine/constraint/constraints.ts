import { platform } from '#platform';
import type { Constraint } from '../../constrain/constraint.ts';
import { asRealmError, RealmError } from '../../errors.ts';
import { checkSourceSize } from '../../output-format/compile.ts';
import type { ConstraintSource } from '../../output-format/constraint-source.ts';
import type { ConstraintCompiler } from './compiler.ts';

/** Constraints that are kept for requests to come; each may hold what it found out while it ran. */
const maxKept = 64;

/** Compiled, and known by its tenant and what it says. */
type Found = Constraint | Promise<Constraint>;

/** The constraints of an engine. No tenant has another's, whose time to compile would tell that it exists. */
export class Constraints {
  readonly #compiler: ConstraintCompiler | undefined;
  /** The one that was used last is the last. */
  readonly #kept = new Map<string, Found>();

  /** Without a compiler every constraint is refused. */
  constructor(compiler: ConstraintCompiler | undefined) {
    this.#compiler = compiler;
  }

  /** At once if it is there. Throws, or rejects, what compiling throws. */
  get(tenant: string, source: ConstraintSource): Found {
    checkSourceSize(source);
    const key = keyOf(tenant, source);
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    const found = kept ?? this.#compile(key, source, tenant);
    this.#keep(key, found);
    return found;
  }

  async close(): Promise<void> {
    await this.#compiler?.close();
  }

  #compile(key: string, source: ConstraintSource, tenant: string): Promise<Constraint> {
    if (!this.#compiler) throw new RealmError('grammar_invalid', 'this engine cannot constrain answers');
    const compiling = this.#compiler.compile(source, tenant).then(
      constraint => {
        if (this.#kept.get(key) === compiling) this.#kept.set(key, constraint);
        return constraint;
      },
      error => {
        // Whether it takes too long may be different the next time; what is wrong with it stays.
        const { code } = asRealmError(error);
        const stays = code === 'schema_unsupported' || code === 'grammar_invalid';
        if (!stays && this.#kept.get(key) === compiling) this.#kept.delete(key);
        throw error;
      },
    );
    compiling.catch(() => {});
    return compiling;
  }

  #keep(key: string, found: Found): void {
    this.#kept.set(key, found);
    if (this.#kept.size > maxKept) this.#kept.delete(this.#kept.keys().next().value!);
  }
}

function keyOf(tenant: string, source: ConstraintSource): string {
  const sha = platform.digests.sha256();
  sha.update(JSON.stringify([tenant, source]));
  return sha.digest().toBase64();
}
