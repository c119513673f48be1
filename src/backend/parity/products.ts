import assert from 'node:assert/strict';
import { formats } from '../../quant/formats.ts';
import { setHalfNibbles } from '../../quant/nibbles.ts';
import { segmentColumns } from '../../quant/segment.ts';
import type { QuantType } from '../../quant/types.ts';
import type { Backend } from '../backend.ts';
import { floats, source, weightBytes } from './data.ts';
import { filled, results, type Same, weights } from './suite.ts';

export const allTypes = Object.keys(formats) as QuantType[];

export function products(same: Same, types: readonly QuantType[]): void {
  for (const type of types) {
    const { blockSize } = formats[type];
    const unit = Math.max(blockSize, 32);
    for (const columns of [unit, 3 * unit]) {
      const shapes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 20, 70].map(tokens => ({ rows: 13, tokens }));
      const tall = [1, 7, 8, 16, 67, 130].map(rows => ({ rows, tokens: 3 }));
      same(`${type} times x, ${columns} columns`, async backend => {
        const all: Float32Array[] = [];
        for (const { rows, tokens } of [...shapes, ...tall]) {
          const matrix = await weights(backend, type, rows, columns, rows);
          const out = backend.buffer(tokens, rows);
          backend.matmul(out, matrix, filled(backend, tokens, tokens, columns), tokens);
          all.push(...(await results(backend, out)));
        }
        return all;
      });
    }
    same(`${type} times x, segments of the columns`, backend => segments(backend, type));
    same(`${type} with bias and accumulation`, backend => biased(backend, type, unit));
    same(`${type} of zero, tiny and large inputs`, backend => extremes(backend, type, unit));
    same(`${type} embeddings`, async backend => {
      const table = await weights(backend, type, 19, 3 * unit);
      const out = backend.buffer(6, 3 * unit);
      backend.embed(out, table, Int32Array.of(0, 18, 7, 7, 1, 12));
      return results(backend, out);
    });
  }
  same('several matrices of different types times one input', async backend => {
    const x = filled(backend, 5, 9, 768);
    const out = await Promise.all(
      types.map(async (type, i) => ({
        out: backend.buffer(9, 10 + i),
        matrix: await weights(backend, type, 10 + i, 768, i),
        bias: i % 2 ? backend.vector(floats(i, 10 + i)) : undefined,
      })),
    );
    backend.matmuls(out, x, 9);
    return results(backend, ...out.map(product => product.out));
  });
}

/** More columns than one chain sums, a last segment of two blocks; and three segments in some types. */
async function segments(backend: Backend, type: QuantType): Promise<Float32Array[]> {
  const unit = Math.max(formats[type].blockSize, 32);
  const multiply = async (columns: number, counts: readonly number[]) => {
    const matrix = await weights(backend, type, 19, columns);
    const bias = backend.vector(floats(3, 19));
    const outs = counts.map(tokens => {
      const out = filled(backend, 10, tokens, 19);
      backend.matmul(out, matrix, filled(backend, tokens, tokens, columns), tokens, { bias, accumulate: tokens < 3 });
      return out;
    });
    return results(backend, ...outs);
  };
  const two = await multiply(segmentColumns + 2 * unit, [1, 2, 3, 4, 5, 6, 13]);
  return longTypes.includes(type) ? [...two, ...(await multiply(2 * segmentColumns + 256, [1, 2, 18]))] : two;
}

/** Some of each family, with which long rows are tried. */
export const longTypes: readonly QuantType[] = ['F32', 'F16', 'Q4_1', 'Q8_0', 'Q4_K', 'Q6_K'];

async function biased(backend: Backend, type: QuantType, columns: number): Promise<Float32Array[]> {
  const matrix = await weights(backend, type, 21, columns);
  const bias = backend.vector(floats(3, 21));
  const x = filled(backend, 4, 10, columns);
  const outs = [{ bias }, { accumulate: true }, { bias, accumulate: true }].map((options, i) => {
    const out = filled(backend, 10 + i, 10, 21);
    backend.matmul(out, matrix, x, 9, options);
    return out;
  });
  return results(backend, ...outs);
}

async function extremes(backend: Backend, type: QuantType, columns: number): Promise<Float32Array[]> {
  const x = backend.buffer(5, columns);
  [0, 1e-38, 1e-29, 1e-3, 1e5].forEach((scale, row) => {
    backend.write(x, row, floats(row, columns, scale));
  });
  const out = backend.buffer(5, 11);
  backend.matmul(out, await weights(backend, type, 11, columns), x, 5);
  return results(backend, out);
}

export async function refusesInfinity(backend: Backend, type: QuantType): Promise<void> {
  const columns = Math.max(formats[type].blockSize, 32);
  const { offsets, kind } = formats[type].scales;
  for (const offset of offsets) {
    const bytes = weightBytes(type, 9 * columns, 1);
    const at = bytes.length - formats[type].blockBytes + offset;
    if (kind === 'UE4M3') bytes[at] = 0x7f;
    else if (kind === 'E8M0') bytes[at] = 0xff;
    else if (kind === 'F16x4') setHalfNibbles(new DataView(bytes.buffer), at, Number.NaN);
    else if (kind === 'F32') bytes.set([0, 0, 0x80, 0x7f], at);
    else bytes.set(kind === 'F16' ? [1, 0x7c] : [0x80, 0xff], at);
    const load = async () => {
      await backend.matrix(source(type, 9, columns, bytes));
      await backend.loaded();
    };
    await assert.rejects(load, { code: 'model_invalid' });
    // One on two sides may say it once for each.
    await backend.loaded().catch(() => {});
  }
}
