import type { Buffer, Matrix, RopeTable, Vector } from '../backend/backend.ts';
import { most } from './config.ts';
import type { Step } from './decoder.ts';
import type { LoadPart } from './hybrid.ts';
import { type LatentSizes, readLatentSizes } from './latent-sizes.ts';
import { loadAbsorbed } from './latent-weights.ts';
import { addProduct } from './layers.ts';
import type { Loading } from './loading.ts';
import { project } from './project.ts';
import { logMagnitude, readLatentTemperature, readRope, yarnFactor } from './rope.ts';
import type { Linear } from './tensors.ts';

interface LatentWeights {
  /** What queries are made of first, if they are: a narrower stream with a norm. */
  readonly narrow?: { readonly down: Linear; readonly norm: Vector } | undefined;
  readonly plain: Linear;
  readonly rotated: Linear;
  readonly latent: Linear;
  readonly latentNorm: Vector;
  readonly keyRotated: Linear;
  /** [heads * latent, plain]: what makes a head's key of a latent, which queries are multiplied with instead. */
  readonly absorbedKey: Matrix;
  /** [heads * value, latent]: what makes a head's value of one, after attention. */
  readonly absorbedValue: Matrix;
  readonly output: Linear;
}

/** What a layer works in, beside what all have. */
interface LatentWork {
  readonly narrow: Buffer | undefined;
  readonly plain: Buffer;
  readonly rotated: Buffer;
  readonly keyRotated: Buffer;
  readonly values: Buffer;
}

/**
 * Multi-head latent attention: keys and values of all heads are made of one latent, and only that is kept. What makes them is
 * absorbed: it goes into the queries before attention, and into what attention gathered. arXiv:2405.04434
 */
export function latentAttention(loading: Loading): LoadPart {
  const { backend, keys, config, options } = loading;
  const sizes = readLatentSizes(keys);
  const { heads } = config;
  const rank = readQueryRank(loading);
  const turning = readTurning(loading, sizes);
  const buffer = (columns: number) => backend.buffer(options.maxBatchTokens, columns);
  const work = {
    narrow: rank > 0 ? buffer(rank) : undefined,
    plain: buffer(heads * sizes.plain),
    rotated: buffer(heads * sizes.rotated),
    keyRotated: buffer(sizes.rotated),
    values: buffer(heads * sizes.value),
  };
  return async prefix => {
    const weights = await loadWeights(loading, prefix, sizes, rank);
    return (step, layer) => {
      attendLatents(step, layer, weights, work, turning);
      addProduct(step, weights.output, work.values);
    };
  };
}

/** Width of what queries are made of first; 0: they are made of the stream, whatever the key says. */
function readQueryRank({ keys, tensors }: Loading): number {
  const rank = keys.maybe('attention.q_lora_rank', { min: 0, max: most.width, integer: true }) ?? 0;
  return tensors.has('blk.0.attn_q.weight') ? 0 : rank;
}

/** What positions do, and the factor on scores. */
interface Turning {
  readonly rope: RopeTable;
  readonly queryRope: RopeTable;
  /** No rotation, but what sharpens the plain part of queries by position, where they are. */
  readonly sharpen: RopeTable | undefined;
  readonly scale: number;
}

/** Stretched rotations sharpen scores too. */
function readTurning({ backend, keys, config, options }: Loading, { rotated, plain }: LatentSizes): Turning {
  // Files have a tenth of it.
  const multiplier = 10 * (keys.maybe('rope.scaling.yarn_log_multiplier', { min: 0, max: 1e3 }) ?? 0);
  const spec = readRope(
    keys,
    { ...config, headDim: rotated },
    { style: 'adjacent', kvTokens: options.kvTokens, logMultiplier: multiplier && 1 },
  );
  const sharpened = spec.magnitude * logMagnitude(yarnFactor(keys, config), multiplier);
  const rope = backend.ropeTable(spec);
  const temperature = readLatentTemperature(keys);
  const still = { headDim: plain, dimensions: plain, frequencies: new Float64Array(plain / 2), magnitude: 1 };
  return {
    rope,
    queryRope: temperature ? backend.ropeTable({ ...spec, temperature }) : rope,
    sharpen: temperature && backend.ropeTable({ ...spec, ...still, temperature }),
    scale: sharpened ** 2 / Math.sqrt(plain + rotated),
  };
}

async function loadWeights(loading: Loading, prefix: string, sizes: LatentSizes, rank: number): Promise<LatentWeights> {
  const { tensors, config } = loading;
  const { width, heads } = config;
  const { latent, rotated, plain, value } = sizes;
  const [name, from] = rank > 0 ? [`${prefix}.attn_q_b`, rank] : [`${prefix}.attn_q`, width];
  const step = plain + rotated;
  const part = (first: number, run: number) =>
    tensors.linear(name, heads * step, from, { first, count: heads * run, run, step });
  const keyPart = (first: number, count: number) =>
    tensors.linear(`${prefix}.attn_kv_a_mqa`, latent + rotated, width, { first, count });
  return {
    narrow:
      rank > 0
        ? {
            down: await tensors.linear(`${prefix}.attn_q_a`, rank, width),
            norm: await tensors.vector(`${prefix}.attn_q_a_norm.weight`, rank),
          }
        : undefined,
    plain: await part(0, plain),
    rotated: await part(plain, rotated),
    latent: await keyPart(0, latent),
    latentNorm: await tensors.vector(`${prefix}.attn_kv_a_norm.weight`, latent),
    keyRotated: await keyPart(latent, rotated),
    ...(await loadAbsorbed(loading, prefix, sizes)),
    output: await tensors.linear(`${prefix}.attn_output`, width, heads * value),
  };
}

/** What each head gathers of `work.normed`, into `values`. */
function attendLatents(
  step: Step,
  layer: number,
  weights: LatentWeights,
  { narrow, plain, rotated, keyRotated, values }: LatentWork,
  { rope, queryRope, sharpen, scale }: Turning,
): void {
  const { backend, config, work, cache, batch } = step;
  const { heads, epsilon } = config;
  const { q: absorbed, k: latent, mixed } = work;
  const queries = [
    { out: plain, ...weights.plain },
    { out: rotated, ...weights.rotated },
  ];
  const kept = [
    { out: latent, ...weights.latent },
    { out: keyRotated, ...weights.keyRotated },
  ];
  if (narrow && weights.narrow) {
    project(step, [{ out: narrow, ...weights.narrow.down }, ...kept], work.normed);
    backend.rmsNorm(narrow, narrow, weights.narrow.norm, epsilon, batch.tokens);
    project(step, queries, narrow);
  } else project(step, [...queries, ...kept], work.normed);
  backend.rmsNorm(latent, latent, weights.latentNorm, epsilon, batch.tokens);
  backend.rope(keyRotated, rope, batch.positions, 1);
  backend.rope(rotated, queryRope, batch.positions, heads);
  if (sharpen) backend.rope(plain, sharpen, batch.positions, heads);
  backend.storeLatent(cache, layer, latent, keyRotated, batch);
  backend.headMatmul(absorbed, weights.absorbedKey, plain, batch.tokens, heads);
  backend.attendLatent(mixed, { latent: absorbed, rotated }, cache, layer, batch, { heads, scale });
  backend.headMatmul(values, weights.absorbedValue, mixed, batch.tokens, heads);
}
