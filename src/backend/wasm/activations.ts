/** Where a step's inputs lie while matrices multiply them: quantised, at one address for whatever is multiplied now. */
import { type ActivationKind, activationBytes, activationRecord } from '../../kernels/activation.ts';
import { areWhole, type WasmBuffer } from './handles.ts';
import type { Memories } from './memories.ts';
import { activationKinds, quantize } from './ops/quantize.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';

export class Activations {
  readonly #memories: Memories;
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  #address = 0;
  #bytes = 0;
  #total = 0;

  constructor(memories: Memories, recorder: Recorder, residency: Residency) {
    this.#memories = memories;
    this.#recorder = recorder;
    this.#residency = residency;
  }

  get address(): number {
    return this.#address;
  }

  /** Bytes taken so far. */
  get total(): number {
    return this.#total;
  }

  /** Sees to room for the quantised rows; returns the bytes of one. */
  reserve(kind: ActivationKind, columns: number, rows: number): number {
    const perToken = activationBytes(kind, columns);
    const need = perToken * Math.max(rows, 64);
    if (need > this.#bytes) {
      this.#address = this.#memories.shared(2 * need, 'quantised activations');
      this.#bytes = 2 * need;
      this.#total += 2 * need;
    }
    return perToken;
  }

  /** Quantises rows of x in memory `memory`. */
  quantize(memory: number, kind: ActivationKind, x: WasmBuffer, rows: number): void {
    const perToken = this.reserve(kind, x.columns, rows);
    this.#residency.ensure(memory, x, rows);
    this.#recorder.recordRows(memory, quantize, areWhole(x), {
      kind: activationKinds.indexOf(kind),
      rows,
      x: x.address,
      stride: x.stride,
      blocks: x.columns / activationRecord[kind].columns,
      out: this.#address,
      perToken,
    });
  }
}
