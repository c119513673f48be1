/** A small piece of work for each part of the kernels: its results are compared with the reference's. */
import { cacheTypes } from '../kernels/attention.ts';
import type { KernelPart } from '../kernels/module.ts';
import { formats } from '../quant/formats.ts';
import { segmentColumns } from '../quant/segment.ts';
import type { QuantType } from '../quant/types.ts';
import {
  type Backend,
  type Buffer,
  type CacheType,
  type Feature,
  type Matrix,
  pageTokens,
  splitTokens,
} from './backend.ts';
import { floats, layout, shuffledPages, source, weightBytes } from './parity/data.ts';
import { layers, type StateLayer } from './parity/state-layers.ts';

/**
 * What the part computes on fixed data: on the reference backend, what it must compute, and what a device with these features
 * must.
 */
export function check(
  part: KernelPart,
  backend: Backend,
  features: ReadonlySet<Feature> = backend.traits.features,
): Promise<Float32Array> {
  return part === 'common' ? checkCommon(backend, features) : checkProducts(part, backend);
}

function filled(backend: Backend, seed: number, rows: number, columns: number): Buffer {
  const buffer = backend.buffer(rows, columns);
  for (let row = 0; row < rows; row++) backend.write(buffer, row, floats(seed * 100 + row, columns));
  return buffer;
}

async function values(backend: Backend, buffers: readonly Buffer[]): Promise<Float32Array> {
  await backend.run();
  const all = new Float32Array(buffers.reduce((sum, { rows, columns }) => sum + rows * columns, 0));
  let at = 0;
  for (const buffer of buffers) {
    const size = buffer.rows * buffer.columns;
    await backend.download(
      buffer,
      Int32Array.from({ length: buffer.rows }, (_, row) => row),
      all.subarray(at, at + size),
    );
    at += size;
  }
  return all;
}

async function weights(backend: Backend, type: QuantType, rows: number, columns: number): Promise<Matrix> {
  const matrix = await backend.matrix(source(type, rows, columns, weightBytes(type, rows * columns, 7)));
  await backend.loaded();
  return matrix;
}

/** Every tile, a bias, and an accumulation; rows of one segment, and of two. */
async function checkProducts(type: QuantType, backend: Backend): Promise<Float32Array> {
  const { blockSize } = formats[type];
  const short = await multiplied(type, backend, 19, Math.max(64, 2 * blockSize), [1, 2, 3, 4, 5, 6, 13, 18]);
  const long = await multiplied(type, backend, 9, segmentColumns + Math.max(64, 2 * blockSize), [1, 2, 3, 4, 5, 6, 13]);
  return Float32Array.of(...short, ...long);
}

async function multiplied(
  type: QuantType,
  backend: Backend,
  rows: number,
  columns: number,
  counts: readonly number[],
): Promise<Float32Array> {
  const matrix = await weights(backend, type, rows, columns);
  const bias = backend.vector(floats(1, rows));
  const outs = counts.map(tokens => {
    const out = filled(backend, 1, tokens, rows);
    const x = filled(backend, tokens, tokens, columns);
    backend.matmul(out, matrix, x, tokens, { bias, accumulate: tokens % 2 === 0 });
    return out;
  });
  return values(backend, outs);
}

async function checkCommon(backend: Backend, features: ReadonlySet<Feature>): Promise<Float32Array> {
  const columns = 192;
  const input = (seed: number) => filled(backend, seed, 3, columns);
  const [x, y, silu, gelu, clamped] = [input(1), input(2), input(3), input(4), input(9)];
  const weight = backend.vector(floats(5, columns));
  const normed = [backend.buffer(3, columns), backend.buffer(3, columns)] as const;
  backend.rmsNorm(normed[0], x, weight, 1e-5, 3);
  backend.layerNorm(normed[1], x, weight, weight, 1e-5, 3);
  backend.gate(silu, silu, x, 'silu', 3);
  backend.gate(gelu, gelu, x, 'gelu', 3);
  backend.gate(clamped, clamped, x, 'swiglu_oai', 3);
  for (const style of ['adjacent', 'halves'] as const) {
    const frequencies = Float64Array.from({ length: 32 }, (_, i) => 0.7 ** i);
    const rope = { headDim: 64, dimensions: 64, style, frequencies, magnitude: 1, maxPosition: 64 };
    backend.rope(x, backend.ropeTable(rope), Int32Array.of(0, 7, 33), 3);
  }
  backend.scale(y, 0.3, 3);
  backend.add(y, x, 3);
  backend.softcap(y, 5, 3);
  const gathered = backend.buffer(2, columns);
  backend.gather(gathered, y, Int32Array.of(2, 0));
  const attended = cacheTypes.flatMap(type => [1, 2, 3, 4].map(groupSize => attend(backend, groupSize, type)));
  const split = cacheTypes.flatMap(type => attendSplits(backend, type));
  const states = features.has('states') ? layers.map(layer => passed(backend, layer)) : [];
  const sinks = features.has('sinks') ? cacheTypes.map(type => attend(backend, 3, type, floats(10, 3))) : [];
  const latent = features.has('latent')
    ? cacheTypes.flatMap(type => [1, 4].map(heads => attendLatents(backend, heads, type)))
    : [];
  const all = [...normed, x, y, silu, gelu, clamped, gathered, ...attended, ...split, ...states, ...sinks, ...latent];
  return values(backend, all);
}

/** A few tokens of a sequence in a layer with a state. */
function passed(backend: Backend, layer: StateLayer): Buffer {
  const shapes = [{ kvHeads: 1, headDim: 64 }, { stateSize: layer.at + layer.stateSize }];
  const cache = backend.kvCache({ layers: shapes, pages: 1, slots: 2, type: 'F16' });
  const segment = { start: 0, count: 5, position: 0, pages: Int32Array.of(0), slot: 0, nextSlot: 1 };
  const out = backend.buffer(5, layer.outColumns);
  const inputs = layer.inputs.map((columns, i) => filled(backend, i, 5, columns));
  layer.on(backend)(out, inputs, cache, { tokens: 5, segments: [segment] });
  return out;
}

/** 34 tokens of one sequence, `groupSize` query heads to a key head. */
function attend(backend: Backend, groupSize: number, type: CacheType = 'F16', sinks?: Float32Array): Buffer {
  const [tokens, kvHeads, headDim] = [34, 1, 64];
  const heads = kvHeads * groupSize;
  const cache = backend.kvCache({ layers: [{ kvHeads, headDim }], pages: 2, slots: 0, type });
  const pages = shuffledPages(1, tokens, groupSize)(0);
  const batch = layout([{ position: 0, count: tokens, pages }]);
  const [k, v] = [filled(backend, 6, tokens, kvHeads * headDim), filled(backend, 7, tokens, kvHeads * headDim)];
  const [q, out] = [filled(backend, 8, tokens, heads * headDim), backend.buffer(tokens, heads * headDim)];
  backend.storeKv(cache, 0, k, v, batch);
  const softcap = groupSize === 2 ? 20 : undefined;
  const options = { heads, scale: 0.125, softcap, sinks: sinks && backend.vector(sinks) };
  backend.attention(out, q, cache, 0, batch, options);
  return out;
}

/** 34 tokens of one sequence in a layer that keeps latents. */
function attendLatents(backend: Backend, heads: number, type: CacheType): Buffer {
  const [tokens, latentDim, rotatedDim] = [34, 64, 32];
  const layer = { kvHeads: 1, headDim: latentDim + rotatedDim, latentDim };
  const cache = backend.kvCache({ layers: [layer], pages: 2, slots: 0, type });
  const batch = layout([{ position: 0, count: tokens, pages: shuffledPages(1, tokens, heads)(0) }]);
  backend.storeLatent(cache, 0, filled(backend, 6, tokens, latentDim), filled(backend, 7, tokens, rotatedDim), batch);
  const latent = filled(backend, 8, tokens, heads * latentDim);
  const rotated = filled(backend, 9, tokens, heads * rotatedDim);
  const out = backend.buffer(tokens, heads * latentDim);
  backend.attendLatent(out, { latent, rotated }, cache, 0, batch, { heads, scale: 0.125 });
  return out;
}

/** Three tokens of a sequence of which the first sees one split, the others two. */
function attendSplits(backend: Backend, type: CacheType): Buffer[] {
  const [tokens, headDim] = [splitTokens + 2, 64];
  const layer = { kvHeads: 1, headDim };
  const cache = backend.kvCache({ layers: [layer], pages: Math.ceil(tokens / pageTokens), slots: 0, type });
  const pages = shuffledPages(1, tokens, 1)(0);
  const [k, v] = [filled(backend, 6, tokens, headDim), filled(backend, 7, tokens, headDim)];
  backend.storeKv(cache, 0, k, v, layout([{ position: 0, count: tokens, pages }]));
  const last = layout([{ position: tokens - 3, count: 3, pages }]);
  return [1, 2, 3, 4].map(heads => {
    const [q, out] = [filled(backend, 8, 3, heads * headDim), backend.buffer(3, heads * headDim)];
    backend.attention(out, q, cache, 0, last, { heads, scale: 0.125 });
    return out;
  });
}
