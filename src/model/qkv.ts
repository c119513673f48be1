import type { Loading } from './loading.ts';
import { type Linear, type RowRange, rowsOf } from './tensors.ts';

/** How many rows queries, keys and values have. */
export interface QkvRows {
  readonly q: number;
  readonly k: number;
  readonly v: number;
}

/** Loads queries, keys or values, or a range of their rows. */
type LoadQkv = (part: keyof QkvRows, range?: RowRange) => Promise<Linear>;

/**
 * Queries, keys and values: a matrix each, or, as some architectures and newer converters have it, one below the other in one
 * matrix. Then biases may still be a tensor each.
 */
export function qkv({ backend, tensors, config: { width } }: Loading, prefix: string, rows: QkvRows): LoadQkv {
  if (!hasFusedQkv({ tensors }, prefix)) {
    return (part, range) => tensors.linear(`${prefix}.attn_${part}`, rows[part], width, range);
  }
  const first = { q: 0, k: rows.q, v: rows.q + rows.k };
  return async (part, range = { first: 0, count: rows[part] }) => {
    const inAll = { ...range, first: first[part] + range.first };
    const linear = await tensors.linear(`${prefix}.attn_qkv`, rows.q + rows.k + rows.v, width, inAll);
    const own = linear.bias ? undefined : await tensors.maybeFloats(`${prefix}.attn_${part}.bias`, rows[part]);
    return own ? { ...linear, bias: backend.vector(rowsOf(range, own)) } : linear;
  };
}

export const hasFusedQkv = ({ tensors }: Pick<Loading, 'tensors'>, prefix: string): boolean =>
  tensors.has(`${prefix}.attn_qkv.weight`);
