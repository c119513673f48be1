/** Writes rows of keys and values into their pages. */
import { type BatchLayout, type CacheType, pageTokens } from '../../backend.ts';
import type { Context } from '../context.ts';
import { exactArithmetic } from '../exact.ts';
import { halfBits } from '../halves.ts';
import type { GpuWorkBuffer, PagedLayer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';

/**
 * A word holds a dimension's keys of two or four positions, so one row writes for all of them that the batch has. `places` has
 * two words for a row: its place, page * 32 + slot; and for how many rows it writes keys, itself and those behind it, or 0.
 */
const params = {
  k: 'u32',
  kStride: 'u32',
  v: 'u32',
  vStride: 'u32',
  places: 'u32',
  columns: 'u32',
  headDim: 'u32',
  headWords: 'u32',
  pageWords: 'u32',
  valuesAt: 'u32',
} as const;
/** `store(row, column, lane)`: lanes store columns that stand beside each other. `prefix`: of the parameters' names. */
export function storeCode(type: CacheType, prefix = ''): string {
  return (type === 'F16' ? halves : bytes).replaceAll(/\bp\./g, `p.${prefix}`);
}

const places = `
  let place = tables[p.places + 2 * row];
  let count = tables[p.places + 2 * row + 1];
  let slot = place % 32;
  let head = column / p.headDim;
  let d = column % p.headDim;
  let keys = (place / 32) * p.pageWords + head * p.headWords;
  let values = keys + p.valuesAt;`;

const fromWork = `
fn keyAt(row: u32, column: u32) -> f32 { return work[p.k + row * p.kStride + column]; }
fn valueAt(row: u32, column: u32) -> f32 { return work[p.v + row * p.vStride + column]; }
`;

/** A lane is a column. */
const halves = `${fromWork}${halfBits}
fn store(row: u32, column: u32, lane: u32) {${places}
  if (column >= p.columns) { return; }
  if (count > 0) {
    let at = keys + d * 16 + slot / 2;
    var word = cache[at];
    for (var i = 0u; i < count; i++) {
      word = insertBits(word, halfBits(keyAt(row + i, column)), ((slot + i) % 2) * 16, 16);
    }
    cache[at] = word;
  }
  if (d % 2 == 0) {
    cache[values + (slot * p.headDim + d) / 2] =
      halfBits(valueAt(row, column)) | (halfBits(valueAt(row, column + 1)) << 16);
  }
}`;

/** A workgroup has a block of 32 columns at a time: dimensions that share a scale. Behind `exactArithmetic`. */
const bytes = `${fromWork}
// As bits, whose order is the numbers': what is no number is the largest.
var<workgroup> magnitudes: array<u32, 32>;
var<workgroup> quantised: array<u32, 32>;
struct Byte { bits: u32, scale: f32 }
fn toByte(x: f32, lane: u32) -> Byte {
  workgroupBarrier();
  magnitudes[lane] = bitcast<u32>(x) & 0x7fffffff;
  workgroupBarrier();
  var largest = 0u;
  for (var i = 0u; i < 32; i++) { largest = max(largest, magnitudes[i]); }
  let d = divide(bitcast<f32>(largest), 127);
  let inverse = select(divide(1, d), 0f, d < 1e-30);
  return Byte(u32(i32(round(x * inverse))) & 255, d);
}
fn store(row: u32, column: u32, lane: u32) {${places}
  let block = d / 32;
  let scalesAt = p.headDim * 8;
  if (count > 0) {
    let at = keys + d * 8 + slot / 4;
    var word = cache[at];
    for (var i = 0u; i < count; i++) {
      let byte = toByte(keyAt(row + i, column), lane);
      word = insertBits(word, byte.bits, ((slot + i) % 4) * 8, 8);
      if (lane == 0) { cache[keys + scalesAt + block * 32 + slot + i] = bitcast<u32>(byte.scale); }
    }
    cache[at] = word;
  }
  let byte = toByte(valueAt(row, column), lane);
  quantised[lane] = byte.bits;
  workgroupBarrier();
  if (lane % 4 == 0) {
    let word = quantised[lane] | (quantised[lane + 1] << 8) | (quantised[lane + 2] << 16) | (quantised[lane + 3] << 24);
    cache[values + (slot * p.headDim + d) / 4] = word;
  }
  if (lane == 0) { cache[values + scalesAt + slot * (p.headDim / 32) + block] = bitcast<u32>(byte.scale); }
}`;

const kernelOf = (type: CacheType, workgroup: number) =>
  defineKernel({
    ...{ name: `storeKv ${type}`, params, work: 'f32', workgroup },
    bindings: [{ name: 'cache', type: 'array<u32>', access: 'read_write' }],
    declarations: exactArithmetic() + storeCode(type),
    main: `store(group.y, group.x * ${workgroup} + lane, lane);`,
  });

export const storeKernels = { F16: kernelOf('F16', 64), Q8_0: kernelOf('Q8_0', 32) };

export function storeKv(
  { recorder }: Context,
  layer: PagedLayer,
  k: GpuWorkBuffer,
  v: GpuWorkBuffer,
  batch: BatchLayout,
): void {
  const { kvHeads, headDim, headWords, pageWords, inWord } = layer;
  const columns = kvHeads * headDim;
  const kernel = storeKernels[layer.type];
  recorder.record(
    kernel,
    [Math.ceil(columns / kernel.workgroup), batch.tokens],
    {
      ...{ k: k.at, kStride: k.stride, v: v.at, vStride: v.stride, places: recorder.table(placesOf(batch, inWord)) },
      ...{ columns, headDim, headWords, pageWords, valuesAt: kvHeads * headWords },
    },
    [layer.buffer],
  );
}

const known = { 2: new WeakMap<BatchLayout, Uint32Array>(), 4: new WeakMap<BatchLayout, Uint32Array>() };

/** Made once a batch: all its layers are stored alike. */
function placesOf(batch: BatchLayout, inWord: 2 | 4): Uint32Array {
  const made = known[inWord].get(batch);
  if (made) return made;
  const places = new Uint32Array(2 * batch.tokens);
  for (const { start, count, position, pages } of batch.segments)
    for (let i = 0; i < count; i++) {
      const slot = (position + i) % pageTokens;
      const inside = slot % inWord;
      places[2 * (start + i)] = pages[Math.floor((position + i) / pageTokens)]! * pageTokens + slot;
      places[2 * (start + i) + 1] = i === 0 || inside === 0 ? Math.min(inWord - inside, count - i) : 0;
    }
  known[inWord].set(batch, places);
  return places;
}
