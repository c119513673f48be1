/**
 * Times variants of a weight type's kernels on work like a model's: weights that no cache holds, for one token and for a
 * few; a piece of a prompt; two threads at once. It is the same whatever model is loaded, so that one choice serves all.
 */
import { type KernelSize, sizesOf } from '../../kernels/module.ts';
import { byteLength } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import type { Backend, Matrix, MatrixSource } from '../backend.ts';
import { floats, weightBytes } from '../parity/data.ts';

/** For each size the best time of each half of the rounds, in microseconds. */
export type Times = Partial<Record<KernelSize, readonly number[]>>;

const columns = 2048;
/** Weights are read piece after piece; all pieces are more than a cache holds, so none is in one when its turn comes again. */
const pieces = { count: 6, bytes: 6 << 20 };
/** A piece of a prompt, on as many rows of weights. */
const prompt = { tokens: 128, rows: 512 };

/** Numbers of tokens that stand for a size. */
function tokensOf(size: KernelSize): readonly number[] {
  if (size === 'many') return [prompt.tokens];
  return size === 'one' ? [1] : [2, 4, 8];
}

/**
 * Rounds in which the variants take turns. Each run is short and its best time counts, so that a busy moment does not
 * decide; where rounds take longer than `patienceMs` (a slow machine, or a busy one), the least number must do.
 */
const rounds = { most: 10, least: 4, patienceMs: 200 };

/** Times each variant's kernels; `install` exchanges them. */
export async function measure(
  type: QuantType,
  variants: readonly string[],
  backend: Backend,
  install: (variant: string) => void,
): Promise<readonly Times[]> {
  const runs = sizesOf(type).flatMap(size => tokensOf(size).map(tokens => ({ size, tokens })));
  /** By variant, half and run. */
  const best = variants.map(() => [0, 1].map(() => runs.map(() => Number.POSITIVE_INFINITY)));
  const record = await prepare(type, backend);
  const end = performance.now() + rounds.patienceMs;
  for (let round = 0; round < rounds.least || (round < rounds.most && performance.now() < end); round++) {
    for (const [i, variant] of variants.entries()) {
      install(variant);
      // The other threads fetch the kernels when they are woken.
      record(2);
      await backend.run();
      const times = best[i][round % 2];
      for (const [run, { tokens }] of runs.entries()) {
        record(tokens);
        const start = performance.now();
        await backend.run();
        times[run] = Math.min(times[run], (performance.now() - start) * 1000);
      }
    }
  }
  const sum = (times: readonly number[], size: KernelSize) =>
    times.reduce((all, time, run) => (runs[run].size === size ? all + time : all), 0);
  return best.map(halves =>
    Object.fromEntries(sizesOf(type).map(size => [size, halves.map(times => sum(times, size))])),
  );
}

/** Records work on so many tokens. */
async function prepare(type: QuantType, backend: Backend): Promise<(tokens: number) => void> {
  const rows = Math.floor(pieces.bytes / byteLength(type, columns) / 8) * 8;
  const cold: Matrix[] = [];
  while (cold.length < pieces.count) cold.push(await backend.matrix(repeated(type, rows)));
  const small = await backend.matrix(repeated(type, prompt.rows));
  await backend.loaded();
  const x = backend.buffer(prompt.tokens, columns);
  const values = floats(1, columns);
  for (let row = 0; row < prompt.tokens; row++) backend.write(x, row, values);
  const [out, promptOut] = [backend.buffer(24, rows), backend.buffer(prompt.tokens, prompt.rows)];
  let next = 0;
  return tokens => {
    if (tokens === prompt.tokens) return backend.matmul(promptOut, small, x, tokens);
    // One token passes quickly: over three pieces, so that waking the threads does not count for much.
    for (let piece = tokens === 1 ? 3 : 1; piece > 0; piece--)
      backend.matmul(out, cold[next++ % cold.length], x, tokens);
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
