import type { Buffer, RopeTable, Vector } from '../../backend/backend.ts';
import type { Step } from '../decoder.ts';
import type { Loading } from '../loading.ts';
import { project } from '../project.ts';
import { hasFusedQkv, qkv } from '../qkv.ts';
import type { Linear } from '../tensors.ts';
import type { LayerSizes } from './sizes.ts';
import type { WorkBuffers } from './work-buffers.ts';

/** The weights of a layer's attention, and the buffers that fit its heads. */
export interface Attention {
  readonly size: LayerSizes;
  readonly rope: RopeTable;
  readonly q: Linear;
  readonly qNorm: Vector;
  /** Absent where it sees another layer's. */
  readonly own?: OwnKeys | undefined;
  readonly output: Linear;
  /** [tokens, heads * headDim] */
  readonly queries: Buffer;
  readonly mixed: Buffer;
}

interface OwnKeys {
  readonly k: Linear;
  readonly kNorm: Vector;
  /** Absent: the keys, before their norm and rotation, are the values too. */
  readonly v?: Linear | undefined;
  /** [headDim] ones: the values' norm has no weights. */
  readonly vNorm: Vector;
  /** [tokens, kvHeads * headDim] */
  readonly keys: Buffer;
  readonly values: Buffer;
}

export async function loadAttention(
  loading: Loading,
  prefix: string,
  { size, rope, isOwn, buffers }: { size: LayerSizes; rope: RopeTable; isOwn: boolean; buffers: WorkBuffers },
): Promise<Attention> {
  const { tensors, config } = loading;
  const { heads, kvHeads, headDim } = size;
  const [rows, kv] = [heads * headDim, kvHeads * headDim];
  const load = qkv(loading, prefix, { q: rows, k: kv, v: kv });
  return {
    size,
    rope,
    q: await load('q'),
    qNorm: await tensors.vector(`${prefix}.attn_q_norm.weight`, headDim),
    own: isOwn ? await loadKeys(loading, prefix, { load, rows: kv, headDim }, buffers) : undefined,
    output: await tensors.linear(`${prefix}.attn_output`, config.width, rows),
    queries: buffers.of('queries', rows),
    mixed: buffers.of('mixed', rows),
  };
}

async function loadKeys(
  { tensors, backend }: Loading,
  prefix: string,
  { load, rows, headDim }: { load: ReturnType<typeof qkv>; rows: number; headDim: number },
  buffers: WorkBuffers,
): Promise<OwnKeys> {
  const hasValues = hasFusedQkv({ tensors }, prefix) || tensors.has(`${prefix}.attn_v.weight`);
  return {
    k: await load('k'),
    kNorm: await tensors.vector(`${prefix}.attn_k_norm.weight`, headDim),
    v: hasValues ? await load('v') : undefined,
    vNorm: backend.vector(new Float32Array(headDim).fill(1)),
    keys: buffers.of('keys', rows),
    values: buffers.of('values', rows),
  };
}

/** What each token of `work.normed` gathers, into `mixed`. Scores are not scaled: norms bound queries and keys. */
export function attend(step: Step, layer: number, { size, rope, own, ...weights }: Attention): void {
  const { backend, config, work, cache, batch } = step;
  const { queries, mixed, qNorm } = weights;
  const products = [{ out: queries, ...weights.q }];
  if (own) products.push({ out: own.keys, ...own.k });
  if (own?.v) products.push({ out: own.values, ...own.v });
  project(step, products, work.normed);
  backend.rmsNorm(queries, queries, qNorm, config.epsilon, batch.tokens);
  backend.rope(queries, rope, batch.positions, size.heads);
  if (own) store(step, layer, size, rope, own);
  const { heads, window, source } = size;
  backend.attention(mixed, queries, cache, source, batch, { heads, scale: 1, window });
}

/** Puts the layer's own keys and values into the cache. */
function store(step: Step, layer: number, size: LayerSizes, rope: RopeTable, own: OwnKeys): void {
  const { backend, config, cache, batch } = step;
  const { keys, values } = own;
  backend.rmsNorm(values, own.v ? values : keys, own.vNorm, config.epsilon, batch.tokens);
  backend.rmsNorm(keys, keys, own.kNorm, config.epsilon, batch.tokens);
  backend.rope(keys, rope, batch.positions, size.kvHeads);
  backend.storeKv(cache, layer, keys, values, batch);
}
