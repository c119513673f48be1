import { type Backend, type Buffer, everyActivation } from '../backend.ts';
import { floats } from './data.ts';
import { filled, results, type Same } from './suite.ts';

export function rows(same: Same): void {
  for (const [columns, group] of [
    [576, 576],
    [512, 64],
    [720, 80],
    [100, 100],
    [4096, 4096],
  ] as const) {
    same(`rmsNorm over ${columns} in groups of ${group}`, async backend => {
      const x = filled(backend, 1, 5, columns, 3);
      const out = backend.buffer(5, columns);
      const weight = backend.vector(floats(2, group));
      backend.rmsNorm(out, x, weight, 1e-5, 4);
      backend.rmsNorm(x, x, weight, 1e-6, 5);
      return results(backend, out, x);
    });
    same(`layerNorm over ${group}`, async backend => {
      const x = filled(backend, 1, 5, group, 3);
      backend.layerNorm(x, x, backend.vector(floats(2, group)), backend.vector(floats(3, group)), 1e-5, 4);
      return results(backend, x);
    });
  }
  for (const style of ['adjacent', 'halves'] as const) {
    for (const [headDim, dimensions] of [
      [64, 64],
      [80, 80],
      [96, 48],
      [128, 128],
      [256, 64],
    ] as const) {
      same(`rope ${style}, ${dimensions} of ${headDim}`, backend => rotated(backend, style, headDim, dimensions));
    }
    same(`rope ${style} with a factor by position`, backend => rotated(backend, style, 64, 64, at => 1 + at / 7));
  }
  for (const columns of [1, 7, 96, 1536]) {
    same(`row operations over ${columns} columns`, backend => elementwise(backend, columns));
    same(`activations over ${columns} columns`, backend => activated(backend, columns));
  }
}

async function rotated(
  backend: Backend,
  style: 'adjacent' | 'halves',
  headDim: number,
  dimensions: number,
  temperature?: (position: number) => number,
): Promise<Float32Array[]> {
  const frequencies = Float64Array.from({ length: dimensions / 2 }, (_, i) => 10000 ** ((-2 * i) / dimensions));
  const spec = { headDim, dimensions, style, frequencies, magnitude: 1.125, maxPosition: 1000 };
  const rope = backend.ropeTable({ ...spec, temperature });
  const x = filled(backend, 7, 6, 3 * headDim);
  backend.rope(x, rope, Int32Array.of(0, 1, 2, 999, 31), 3);
  return results(backend, x);
}

/** Activations far outside where they matter, at the borders of exp's range, and the two zeros. */
const borders = [0, -0, 1e-30, -1e-30, 0.5, -0.5, 43, -43, 87, -87, 88, -88, 89, -89, 1e4, -1e4, 1e12, -1e12];

function atBorders(backend: Backend, seed: number, columns: number): Buffer {
  const buffer = filled(backend, seed, 5, columns, 20);
  const edge = Float32Array.from({ length: columns }, (_, i) => borders[i % borders.length] ?? 0);
  backend.write(buffer, 0, edge);
  return buffer;
}

async function activated(backend: Backend, columns: number): Promise<Float32Array[]> {
  const buffers = everyActivation.map((kind, i) => {
    const buffer = atBorders(backend, i, columns);
    backend.activate(buffer, kind, 4);
    return buffer;
  });
  return results(backend, ...buffers);
}

async function elementwise(backend: Backend, columns: number): Promise<Float32Array[]> {
  const inputs = (seed: number) => atBorders(backend, seed, columns);
  const [silu, gelu, inPlace, sigmoid, linear] = [inputs(1), inputs(2), inputs(3), inputs(10), inputs(11)];
  const relu2 = inputs(16);
  const clamped = inputs(13);
  const [capped, sum, scaled] = [inputs(4), inputs(5), inputs(6)];
  const up = filled(backend, 9, 5, columns);
  const gathered = backend.buffer(4, columns);
  backend.gate(silu, inputs(7), up, 'silu', 4);
  backend.gate(gelu, inputs(8), up, 'gelu', 5);
  backend.gate(sigmoid, inputs(9), up, 'sigmoid', 5);
  backend.gate(relu2, inputs(17), up, 'relu2', 5);
  backend.gate(linear, inputs(12), up, 'linear', 5);
  backend.gate(clamped, inputs(14), filled(backend, 15, 5, columns, 20), 'swiglu_oai', 5);
  backend.gate(inPlace, inPlace, up, 'silu', 5);
  backend.softcap(capped, 30, 4);
  backend.add(sum, up, 4);
  backend.scale(scaled, 0.3, 4);
  backend.gather(gathered, scaled, Int32Array.of(4, 0, 2));
  return results(backend, silu, gelu, sigmoid, relu2, linear, clamped, inPlace, capped, sum, scaled, gathered);
}
