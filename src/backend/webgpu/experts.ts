/** Mixtures of experts: which ones each token goes to, and the sum of what they give. */
import { RealmError } from '../../errors.ts';
import type { Context } from './context.ts';
import type { GpuRouting, GpuWorkBuffer } from './handles.ts';
import { assign } from './ops/assign.ts';
import { chooseExperts, type GpuRouter } from './ops/choose-experts.ts';
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

  route(routing: GpuRouting, logits: GpuWorkBuffer, rows: number, router: GpuRouter = {}): void {
    const says = Object.values(router).some(option => option !== undefined);
    if (says) chooseExperts(this.#context, routing, logits, rows, router);
    else route(this.#context, routing, logits, rows);
    assign(this.#context, routing, rows);
  }

  combine(out: GpuWorkBuffer, slots: GpuWorkBuffer, routing: GpuRouting, rows: number): void {
    combine(this.#context, out, slots, routing, rows);
  }
}
