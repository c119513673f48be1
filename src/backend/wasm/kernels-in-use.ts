/** Which kernels the threads have: chosen part by part, when a model needs them. */
import type { KernelPart } from '../../kernels/module.ts';
import { type Choice, variantsIn } from './choice.ts';
import type { Kernels } from './selection.ts';
import type { ThreadPool } from './thread-pool.ts';

export class KernelsInUse {
  readonly #pool: ThreadPool;
  readonly #choose: (part: KernelPart) => Promise<Kernels>;
  readonly #kernels = new Map<KernelPart, Promise<Kernels>>();
  readonly #choices = new Map<KernelPart, Choice>();

  constructor(pool: ThreadPool, choose: (part: KernelPart) => Promise<Kernels>) {
    this.#pool = pool;
    this.#choose = choose;
  }

  /** What was chosen for each part. */
  get choices(): ReadonlyMap<KernelPart, Choice> {
    return this.#choices;
  }

  /** The names of the variants. */
  get names(): string {
    return [...new Set([...this.#choices.values()].flatMap(variantsIn))].join(' + ');
  }

  /** Makes a part's kernels ready. */
  async use(part: KernelPart): Promise<void> {
    const kernels = this.#kernels.get(part) ?? this.#choose(part);
    this.#kernels.set(part, kernels);
    const ready = await kernels;
    if (!this.#choices.has(part)) this.install(part, ready);
  }

  /** Gives every thread these kernels, in place of those it had for the part. */
  install(part: KernelPart, kernels: Kernels): void {
    this.#choices.set(part, kernels.choice);
    this.#kernels.set(part, Promise.resolve(kernels));
    for (const module of kernels.modules) this.#pool.add({ kernels: module });
  }
}
