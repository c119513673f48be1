/** Records mixtures of experts. Which rows an expert has is known when the commands run, not when they are recorded. */
import { groupRows } from '../../kernels/layout.ts';
import type { Buffer, Matrix, Routing } from '../backend.ts';
import type { Activations } from './activations.ts';
import type { WasmBuffer, WasmMatrix, WasmRouting } from './handles.ts';
import { assign } from './ops/assign.ts';
import { combine } from './ops/combine.ts';
import { expertProduct } from './ops/expert-product.ts';
import { activationKinds } from './ops/quantize.ts';
import { quantizeSlots } from './ops/quantize-slots.ts';
import { route } from './ops/route.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';

/** Words of a routing's table for `tokens` tokens at most. */
export const routingWords = (tokens: number, experts: number, used: number): number => 4 * tokens * used + experts + 1;

/** A routing whose parts follow each other in `table`. */
export function routingIn(table: WasmBuffer, tokens: number, experts: number, used: number): WasmRouting {
  const part = (i: number) => table.address + 4 * i * tokens * used;
  return {
    ...{ experts, used, table, chosen: part(0), weights: part(1) },
    ...{ slotOf: part(2), tokenOf: part(3), starts: part(4) },
  };
}

export class Experts {
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  readonly #activations: Activations;

  constructor(recorder: Recorder, residency: Residency, activations: Activations) {
    this.#recorder = recorder;
    this.#residency = residency;
    this.#activations = activations;
  }

  route(routing: Routing, logits: Buffer, rows: number): void {
    const { experts, used, table, chosen, weights, slotOf, tokenOf, starts } = routing as WasmRouting;
    const { address, stride } = logits as WasmBuffer;
    const memory = this.#residency.through(table, logits, 1);
    this.#recorder.record(memory, route, { rows, logits: address, stride, experts, used, chosen, weights });
    this.#recorder.record(memory, assign, { rows, used, experts, chosen, slotOf, tokenOf, starts });
  }

  multiply(out: Buffer, matrix: Matrix, x: Buffer, from: 'tokens' | 'slots', routing: Routing, rows: number): void {
    const { experts, used, table, tokenOf, starts } = routing as WasmRouting;
    const { block, kind, activation, blocks, groupStride } = matrix as WasmMatrix;
    const { memory } = block;
    const [source, target] = [x as WasmBuffer, out as WasmBuffer];
    const slots = rows * used;
    const perToken = this.#activations.reserve(activation, x.columns, slots);
    const quantised = this.#activations.address;
    this.#residency.ensure(memory, table, 1);
    this.#residency.ensure(memory, x, from === 'tokens' ? rows : slots);
    this.#residency.writes(memory, out, slots);
    this.#recorder.record(memory, quantizeSlots, {
      experts,
      kind: activationKinds.indexOf(activation),
      x: source.address,
      stride: source.stride,
      blocks,
      out: quantised,
      perToken,
      starts,
      tokenOf: from === 'tokens' ? tokenOf : 0,
    });
    this.#recorder.record(memory, expertProduct, {
      experts,
      groups: target.columns / groupRows,
      type: kind,
      weights: block.address,
      blocks,
      groupStride,
      x: quantised,
      perToken,
      out: target.address,
      outStride: target.stride,
      starts,
    });
  }

  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void {
    const { used, table, slotOf, weights } = routing as WasmRouting;
    const [target, source] = [out as WasmBuffer, slots as WasmBuffer];
    const memory = this.#residency.home(slots);
    this.#residency.ensure(memory, table, 1);
    this.#residency.writes(memory, out, rows, true);
    this.#recorder.record(memory, combine, {
      rows,
      out: target.address,
      outStride: target.stride,
      slots: source.address,
      stride: source.stride,
      eights: source.stride / 32,
      used,
      slotOf,
      weights,
    });
  }
}
