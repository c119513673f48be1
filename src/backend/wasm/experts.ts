/** Records mixtures of experts. Which rows an expert has is known when the commands run, not when they are recorded. */
import { activationRecord } from '../../kernels/activation.ts';
import { groupRows } from '../../kernels/layout.ts';
import type { RouterOptions } from '../backend.ts';
import type { Activations } from './activations.ts';
import type { WasmBuffer, WasmMatrix, WasmRouting, WasmVector } from './handles.ts';
import { assign } from './ops/assign.ts';
import { combine } from './ops/combine.ts';
import { expertProduct } from './ops/expert-product.ts';
import { activationKinds } from './ops/quantize.ts';
import { quantizeSlots } from './ops/quantize-slots.ts';
import { route, routerKinds } from './ops/route.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';

/** Words of a routing's table for `tokens` tokens at most. */
export const routingWords = (tokens: number, experts: number, topK: number): number => 4 * tokens * topK + experts + 1;

/** A routing whose parts follow each other in `table`. */
export function routingIn(table: WasmBuffer, tokens: number, experts: number, topK: number): WasmRouting {
  const part = (i: number) => table.address + 4 * i * tokens * topK;
  return {
    ...{ owner: table.owner, experts, topK, table, chosen: part(0), weights: part(1) },
    ...{ slotOf: part(2), tokenOf: part(3), starts: part(4) },
  };
}

/** {@link RouterOptions} with vectors of this backend. */
type WasmRouter = Omit<RouterOptions, 'bias' | 'scales'> & {
  readonly bias?: WasmVector | undefined;
  readonly scales?: WasmVector | undefined;
};

export class Experts {
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  readonly #activations: Activations;

  constructor(recorder: Recorder, residency: Residency, activations: Activations) {
    this.#recorder = recorder;
    this.#residency = residency;
    this.#activations = activations;
  }

  route(
    routing: WasmRouting,
    logits: WasmBuffer,
    rows: number,
    { kind = 'softmax', bias, groups, normalised = true, scales, scale = 1 }: WasmRouter,
  ): void {
    const { experts, topK, table, chosen, weights, slotOf, tokenOf, starts } = routing;
    const { address, stride } = logits;
    const memory = this.#residency.through(table, logits, 1);
    this.#recorder.record(memory, route, {
      ...{ rows, logits: address, stride, experts, topK, chosen, weights },
      ...{ kind: routerKinds.indexOf(kind), bias: bias?.address ?? 0 },
      ...{ groups: groups?.count ?? 0, groupsUsed: groups?.used ?? 0, normalised: Number(normalised) },
      ...{ scales: scales?.address ?? 0, scale },
    });
    this.#recorder.record(memory, assign, { rows, topK, experts, chosen, slotOf, tokenOf, starts });
  }

  multiply(
    out: WasmBuffer,
    matrix: WasmMatrix,
    /** Address of the experts' biases, or 0. */
    bias: number,
    x: WasmBuffer,
    from: 'tokens' | 'slots',
    routing: WasmRouting,
    rows: number,
  ): void {
    const { experts, topK, table, tokenOf, starts } = routing;
    const { block, kind, activation, blocks, groupStride } = matrix;
    const { memory } = block;
    const slots = rows * topK;
    const perToken = this.#activations.reserve(activation, x.columns, slots);
    const quantised = this.#activations.address;
    this.#residency.ensure(memory, table, 1);
    this.#residency.ensure(memory, x, from === 'tokens' ? rows : slots);
    this.#residency.writes(memory, out, slots);
    this.#recorder.record(memory, quantizeSlots, {
      experts,
      kind: activationKinds.indexOf(activation),
      x: x.address,
      stride: x.stride,
      blocks: x.columns / activationRecord[activation].columns,
      out: quantised,
      perToken,
      starts,
      tokenOf: from === 'tokens' ? tokenOf : 0,
    });
    this.#recorder.record(memory, expertProduct, {
      experts,
      groups: out.columns / groupRows,
      type: kind,
      weights: block.address,
      blocks,
      groupStride,
      x: quantised,
      perToken,
      out: out.address,
      outStride: out.stride,
      bias,
      starts,
    });
  }

  combine(out: WasmBuffer, slots: WasmBuffer, routing: WasmRouting, rows: number): void {
    const { topK, table, slotOf, weights } = routing;
    const memory = this.#residency.residentMemory(slots);
    this.#residency.ensure(memory, table, 1);
    this.#residency.writes(memory, out, rows, true);
    this.#recorder.record(memory, combine, {
      rows,
      out: out.address,
      outStride: out.stride,
      slots: slots.address,
      stride: slots.stride,
      eights: slots.stride / 32,
      topK,
      slotOf,
      weights,
    });
  }
}
