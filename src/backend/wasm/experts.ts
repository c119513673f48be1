/** Commands of mixtures of experts. Which rows an expert has is known when they run, not when they are recorded. */
import { tilesOf } from '../../kernels/activation.ts';
import { assignSlots, chooseExperts } from '../routing.ts';
import type { Machine, Station } from './station.ts';

/** Where the parts of a routing stand in its table, in words; for `rows` tokens at most. */
export function routingParts(rows: number, used: number, experts: number) {
  const slots = rows * used;
  return {
    chosen: 0,
    weights: slots,
    slotOf: 2 * slots,
    tokenOf: 3 * slots,
    starts: 4 * slots,
    words: 4 * slots + experts + 1,
  };
}

const ints = (m: Machine, address: number, count: number) => new Int32Array(m.bytes.buffer, address >>> 0, count);
const floats = (m: Machine, address: number, count: number) => new Float32Array(m.bytes.buffer, address >>> 0, count);

export const expertOperations = {
  /** Items: rows. */
  route(m: Machine, _: Station, first: number, count: number, ...args: number[]) {
    const [, , logits, stride, experts, used, chosen, weights] = args;
    for (let row = first; row < first + count; row++) {
      const at = row * used * 4;
      const scores = floats(m, logits + row * stride, experts);
      chooseExperts(scores.slice(), ints(m, chosen + at, used), floats(m, weights + at, used));
    }
  },
  /** One item. */
  assign(m: Machine, _: Station, _first: number, _count: number, ...args: number[]) {
    const [, , rows, used, experts, chosen, slotOf, tokenOf, starts] = args;
    const slots = rows * used;
    assignSlots(ints(m, chosen, slots), used, {
      slotOf: ints(m, slotOf, slots),
      tokenOf: ints(m, tokenOf, slots),
      starts: ints(m, starts, experts + 1),
    });
  },
  /** tokenOf: 0 when x has a row a slot. Tiles follow the experts' ranges. Items: experts. */
  quantizeSlots(m: Machine, { maxTile }: Station, first: number, count: number, ...args: number[]) {
    const [, , kind, x, stride, blocks, out, perToken, starts, tokenOf] = args;
    const { quantize_q32, quantize_q256, quantize_f32 } = m.kernels;
    const kernel = kind === 0 ? quantize_q32 : kind === 1 ? quantize_q256 : quantize_f32;
    for (let expert = first; expert < first + count; expert++) {
      eachTile(m, starts, expert, maxTile, (slot, tile) => {
        for (let i = 0; i < tile; i++) {
          const row = tokenOf ? m.words[(tokenOf >>> 2) + slot + i] : slot + i;
          kernel(x + row * stride, blocks, out + slot * perToken + 4 * i, tile);
        }
      });
    }
  },
  /** Items: row groups of all experts. */
  expertProduct(m: Machine, { maxTile, scratch }: Station, first: number, count: number, ...args: number[]) {
    const [, , kind, w, blocks, groupStride, x, perToken, out, stride, starts, groups] = args;
    for (let item = first; item < first + count; ) {
      const expert = Math.floor(item / groups);
      const group = item % groups;
      const run = Math.min(first + count - item, groups - group);
      eachTile(m, starts, expert, maxTile, (slot, tile) => {
        const y = out + slot * stride + group * 32;
        m.products[kind][tile](w + item * groupStride, blocks, run, x + slot * perToken, y, stride, 0, 0, scratch);
      });
      item += run;
    }
  },
  /** out += weight * slot, in the order of choice. Items: rows. */
  combine(m: Machine, _: Station, first: number, count: number, ...args: number[]) {
    const [, , out, outStride, slots, stride, eights, used, slotOf, weights] = args;
    for (let row = first; row < first + count; row++) {
      for (let choice = row * used; choice < (row + 1) * used; choice++) {
        const slot = slots + m.words[(slotOf >>> 2) + choice] * stride;
        m.kernels.scale(slot, eights, floats(m, weights + choice * 4, 1)[0]);
        m.kernels.add(out + row * outStride, slot, eights);
      }
    }
  },
};

function eachTile(
  m: Machine,
  starts: number,
  expert: number,
  maxTile: number,
  visit: (slot: number, tile: number) => void,
): void {
  let slot = m.words[(starts >>> 2) + expert];
  for (const tile of tilesOf(m.words[(starts >>> 2) + expert + 1] - slot, maxTile)) {
    visit(slot, tile);
    slot += tile;
  }
}
