/** Records mixtures of experts. Which rows an expert has is known when the commands run, not when they are recorded. */
import { activationRecord } from '../../kernels/activation.ts';
import { groupRows } from '../../kernels/layout.ts';
import type { Buffer, Product, RouterOptions, Routing, Vector } from '../backend.ts';
import type { Activations } from './activations.ts';
import type { WasmBuffer, WasmOwner, WasmRouting } from './handles.ts';
import { assign } from './ops/assign.ts';
import { combine } from './ops/combine.ts';
import { expertProduct } from './ops/expert-product.ts';
import { activationKinds } from './ops/quantize.ts';
import { quantizeSlots } from './ops/quantize-slots.ts';
import { route, routerKinds } from './ops/route.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';
import type { WorkBuffers } from './work-buffers.ts';

/** Words of a routing's table for `tokens` tokens at most. */
const routingWords = (tokens: number, experts: number, topK: number): number => 4 * tokens * topK + experts + 1;

export class Experts {
  readonly #owner: WasmOwner;
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  readonly #activations: Activations;
  readonly #buffers: WorkBuffers;

  constructor(
    owner: WasmOwner,
    recorder: Recorder,
    residency: Residency,
    activations: Activations,
    buffers: WorkBuffers,
  ) {
    this.#owner = owner;
    this.#recorder = recorder;
    this.#residency = residency;
    this.#activations = activations;
    this.#buffers = buffers;
  }

  /** A routing whose parts follow each other in a buffer. */
  create(tokens: number, experts: number, topK: number): WasmRouting {
    const table = this.#buffers.create(1, routingWords(tokens, experts, topK));
    const part = (i: number) => table.address + 4 * i * tokens * topK;
    return {
      ...{ owner: table.owner, experts, topK, table, chosen: part(0), weights: part(1) },
      ...{ slotOf: part(2), tokenOf: part(3), starts: part(4) },
    };
  }

  route(routing: Routing, logits: Buffer, rows: number, options: RouterOptions): void {
    const { kind = 'softmax', bias, groups, normalised = true, scales, scale = 1 } = options;
    const { experts, topK, table, chosen, weights, slotOf, tokenOf, starts } = this.#owner.own(routing);
    const source = this.#owner.own(logits);
    const memory = this.#residency.through(table, source, 1);
    this.#recorder.record(memory, route, {
      ...{ rows, logits: source.address, stride: source.stride, experts, topK, chosen, weights },
      ...{ kind: routerKinds.indexOf(kind), bias: this.#addressOf(bias) },
      ...{ groups: groups?.count ?? 0, groupsUsed: groups?.used ?? 0, normalised: Number(normalised) },
      ...{ scales: this.#addressOf(scales), scale },
    });
    this.#recorder.record(memory, assign, { rows, topK, experts, chosen, slotOf, tokenOf, starts });
  }

  #addressOf(vector: Vector | undefined): number {
    return vector ? this.#owner.own(vector).address : 0;
  }

  multiply(products: readonly Product[], x: Buffer, from: 'tokens' | 'slots', routing: Routing, rows: number): void {
    const [source, own] = [this.#owner.own(x), this.#owner.own(routing)];
    for (const product of products) this.#multiply(product, source, from, own, rows);
  }

  #multiply(product: Product, x: WasmBuffer, from: 'tokens' | 'slots', routing: WasmRouting, rows: number): void {
    const [out, matrix] = [this.#owner.own(product.out), this.#owner.own(product.matrix)];
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
      bias: this.#addressOf(product.bias),
      starts,
    });
  }

  combine(target: Buffer, source: Buffer, routing: Routing, rows: number): void {
    const [out, slots] = [this.#owner.own(target), this.#owner.own(source)];
    const { topK, table, slotOf, weights } = this.#owner.own(routing);
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
