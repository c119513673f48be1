import type { PortableGrammar } from '../../constrain/portable.ts';
import { sizeOf } from '../../output-format/compile.ts';
import type { ConstraintSource } from '../../output-format/constraint-source.ts';
import { type Owner, type Work, WorkTurns } from '../scheduler/work-turns.ts';

interface Waiting extends Work {
  readonly source: ConstraintSource;
  readonly compiled: PromiseWithResolvers<PortableGrammar>;
}

/**
 * Sources that wait for the one who compiles: the tenant that has had least of its time goes next. So however many
 * dear ones a tenant sends, another's waits for the one that is being compiled and no more.
 */
export class CompileQueue {
  readonly #turns = new WorkTurns<Waiting>('schemas and grammars');
  readonly #compile: (source: ConstraintSource) => Promise<PortableGrammar>;
  readonly #clock: () => number;
  #isCompiling = false;

  /** `clock` in milliseconds. */
  constructor(compile: (source: ConstraintSource) => Promise<PortableGrammar>, clock = () => performance.now()) {
    this.#compile = compile;
    this.#clock = clock;
  }

  /** Rejects with `queue_full` where the tenant has too many, or too much, waiting, and with what compiling throws. */
  async add(owner: Owner, source: ConstraintSource): Promise<PortableGrammar> {
    const compiled = Promise.withResolvers<PortableGrammar>();
    this.#turns.add({ owner, source, bytes: sizeOf(source), compiled });
    void this.#next();
    return compiled.promise;
  }

  async #next(): Promise<void> {
    const work = this.#isCompiling ? undefined : this.#turns.next();
    if (!work) return;
    this.#isCompiling = true;
    const started = this.#clock();
    try {
      work.compiled.resolve(await this.#compile(work.source));
    } catch (error) {
      work.compiled.reject(error);
    }
    // It waits until it is paid for: whoever comes meanwhile is behind nobody but this one.
    this.#turns.charge(work.owner, this.#clock() - started);
    this.#turns.remove(work);
    this.#isCompiling = false;
    void this.#next();
  }
}
