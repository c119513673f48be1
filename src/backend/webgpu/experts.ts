/** Mixtures of experts: which ones each token goes to, and the sum of what they give. */
import { RealmError } from '../../errors.ts';
import type { Context } from './context.ts';
import type { GpuRouting, GpuVector, GpuWorkBuffer } from './handles.ts';
import { assign } from './ops/assign.ts';
import { combine } from './ops/combine.ts';
import { mostExperts, route } from './ops/route.ts';

export class Experts {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  routing(tokens: number, experts: number, topK: number): GpuRouting {
    if (experts > mostExperts)
      throw new RealmError('kernel_unavailable', `no GPU kernel for ${experts} experts: ${mostExperts} at most`);
    const { work, owner } = this.#context;
    const part = () => work.take(tokens * topK);
    const parts = { chosen: part(), weights: part(), slotOf: part(), tokenOf: part(), starts: work.take(experts + 1) };
    return { owner, experts, topK, ...parts };
  }

  route(routing: GpuRouting, logits: GpuWorkBuffer, rows: number, scales?: GpuVector): void {
    route(this.#context, routing, logits, rows, scales);
    assign(this.#context, routing, rows);
  }

  combine(out: GpuWorkBuffer, slots: GpuWorkBuffer, routing: GpuRouting, rows: number): void {
    combine(this.#context, out, slots, routing, rows);
  }
}
