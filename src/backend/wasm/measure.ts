/**
 * Times variants of a weight type's kernels on work like a model's: weights that no cache holds, for one token and for a
 * few; a piece of a prompt; two threads at once. It is the same whatever model is loaded, so that one choice serves all.
 */
import { type KernelSize, panelBytes, sizesOf } from '../../kernels/module.ts';
import { byteLength } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import type { Backend, Matrix, MatrixSource } from '../backend.ts';
import { floats, weightBytes } from '../parity-data.ts';

/** The best time for each size. */
export type Times = Partial<Record<KernelSize, number>>;

const columns = 2048;
/** A third of the weights: all of them are more than a cache holds, and the next third is read before this one again. */
const thirdBytes = 16 << 20;
/** A piece of a prompt, on as many rows of weights. */
const prompt = { tokens: 128, rows: 2048 };

/** Tokens that pass over each third of the weights. */
const tokensOver = (type: QuantType, size: KernelSize): readonly number[] =>
  size === 'one' ? [1, 1, 1] : [2, 8, panelBytes(type) ? 4 : 24];

/** Rounds in which the variants take turns: the best of each counts, so that a busy moment does not decide. */
const rounds = 5;

/** Times each variant's kernels, in microseconds; `install` exchanges them. */
export async function measure(
  type: QuantType,
  variants: readonly string[],
  backend: Backend,
  install: (variant: string) => void,
): Promise<readonly Times[]> {
  const best = variants.map((): Times => ({}));
  const record = await prepare(type, backend);
  for (let round = 0; round < rounds; round++) {
    for (const [i, variant] of variants.entries()) {
      install(variant);
      // The other threads fetch the kernels when they are woken.
      record('one');
      await backend.run();
      for (const size of sizesOf(type)) {
        record(size);
        const start = performance.now();
        await backend.run();
        const time = (performance.now() - start) * 1000;
        best[i][size] = Math.min(best[i][size] ?? time, time);
      }
    }
  }
  return best;
}

/** Records the work of a size. */
async function prepare(type: QuantType, backend: Backend): Promise<(size: KernelSize) => void> {
  const rows = Math.floor(thirdBytes / byteLength(type, columns) / 8) * 8;
  const thirds: Matrix[] = [];
  for (let i = 0; i < 3; i++) thirds.push(await backend.matrix(repeated(type, rows)));
  const small = await backend.matrix(repeated(type, prompt.rows));
  await backend.loaded();
  const x = backend.buffer(prompt.tokens, columns);
  for (let row = 0; row < prompt.tokens; row++) backend.write(x, row, floats(row, columns));
  const [out, promptOut] = [backend.buffer(24, rows), backend.buffer(prompt.tokens, prompt.rows)];
  return size => {
    if (size === 'many') return backend.matmul(promptOut, small, x, prompt.tokens);
    for (const [i, tokens] of tokensOver(type, size).entries()) backend.matmul(out, thirds[i], x, tokens);
  };
}

/** Weights that are made quickly: one row over and over. */
function repeated(type: QuantType, rows: number): MatrixSource {
  const row = weightBytes(type, columns, 7);
  return {
    ...{ name: `measured.${type}`, type, rows, columns },
    async readRows(_, count, target) {
      target.set(row);
      for (let filled = row.length; filled < count * row.length; filled *= 2)
        target.copyWithin(filled, 0, Math.min(filled, count * row.length - filled));
    },
  };
}
