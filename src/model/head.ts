/** What follows the pooling of a text. It is little beside the text's own work, and computed in this thread, in f64. */
import type { ModelConfig } from './config.ts';
import type { Keys } from './keys.ts';
import type { Tensors } from './tensors.ts';
import type { Head } from './types.ts';

/** A matrix with its optional bias, as numbers. weights: [rows, columns] */
interface Dense {
  readonly rows: number;
  readonly weights: Float32Array;
  readonly bias?: Float32Array | undefined;
}

async function loadDense(tensors: Tensors, name: string, rows: number, columns: number): Promise<Dense> {
  const weights = await tensors.table(`${name}.weight`, rows, columns);
  return { rows, weights, bias: await tensors.maybeFloats(`${name}.bias`, rows) };
}

function multiply({ rows, weights, bias }: Dense, x: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: rows }, (_, row) => {
    let sum = bias?.[row] ?? 0;
    for (let i = 0; i < x.length; i++) sum += weights[row * x.length + i]! * x[i]!;
    return sum;
  });
}

/** Of a model that ranks: how probable it is that a text answers a query. `softmax`: the first of two tokens against the other. */
export async function loadRanking(
  tensors: Tensors,
  { width, pooling }: ModelConfig,
  { softmax = false } = {},
): Promise<Head | undefined> {
  if (pooling !== 'rank') return undefined;
  const dense = tensors.has('cls.weight') ? await loadDense(tensors, 'cls', width, width) : undefined;
  const out = await loadDense(tensors, 'cls.output', softmax ? 2 : 1, width);
  return {
    apply(pooled) {
      const [first, other = 0] = multiply(out, dense ? multiply(dense, pooled).map(Math.tanh) : pooled);
      return Float64Array.of(1 / (1 + Math.exp(other - first!)));
    },
  };
}

const mostFeatures = 1 << 16;

/** Two matrices one after the other, in files that were made with them (EmbeddingGemma). */
export async function loadDenseLayers(tensors: Tensors, { width }: ModelConfig, keys: Keys): Promise<Head | undefined> {
  if (!tensors.has('dense_2.weight')) return undefined;
  const inner = keys.size('dense_2_feat_out', mostFeatures);
  const layers = [
    await loadDense(tensors, 'dense_2', inner, width),
    await loadDense(tensors, 'dense_3', width, inner),
  ] as const;
  return { apply: pooled => multiply(layers[1], multiply(layers[0], pooled)) };
}
