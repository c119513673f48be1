/** Finds in each row of logits the greatest, and where a row wants it the likely tokens and the mass of the others. */
import { unsampled } from '../../backend.ts';
import type { Context } from '../context.ts';
import type { Device } from '../device.ts';
import type { GpuTokens, GpuWorkBuffer } from '../handles.ts';
import { defineKernel } from '../kernel.ts';

/** Each lane deals its tokens into four hands. */
const hands = [0, 1, 2, 3];

/** As many hands have a token that is listed: so many of the greatest are listed at least. */
const listedOf = (lanes: number): number => Math.min(256, lanes);

/** Words of what comes back of a row: the greatest, its token, the least key listed, how many are, the others' mass. */
export const resultWords = 5;
/** Words of what a row is told, see {@link ChoiceRow}. */
export const rowWords = 6;

export interface ChoiceRow {
  /** Where the table of the row's mask begins; -1: none. */
  readonly mask: number;
  /** Where its words of results begin in work memory; behind them come the logits of `asked`, then the list. */
  readonly results: number;
  /** Tokens whose logits are wanted whatever they are: where their table begins. */
  readonly asked: number;
  readonly askedCount: number;
  /** Most pairs of a token and its logit in the list; 0: none is wanted. */
  readonly capacity: number;
  readonly temperature: number;
}

/** Does something with every token that is allowed; four are read at once. */
const eachToken = (lanes: number, body: string): string => `
  for (var start = lane; start < p.columns; start += ${4 * lanes}u) {
    let four = vec4f(${hands.map(hand => `logitOf(row, start + ${hand * lanes}u)`).join(', ')});
${hands
  .map(
    hand => `
    {
      let token = start + ${hand * lanes}u;
      let x = four[${hand}];
      if (token < p.columns && isAllowed(mask, token)) {
        ${body.replaceAll('HAND', `${hand}`)}
      }
    }`,
  )
  .join('')}
  }`;

const kernelOf = (lanes: number) =>
  defineKernel({
    name: `choose with ${lanes} lanes`,
    params: { out: 'u32', logits: 'u32', stride: 'u32', columns: 'u32', rows: 'u32' },
    workgroup: lanes,
    declarations: `
var<workgroup> values: array<f32, ${lanes}>;
var<workgroup> tokens: array<u32, ${lanes}>;
var<workgroup> broken: atomic<u32>;
var<workgroup> counts: array<atomic<u32>, 33>;
const nobody = 0xffffffffu;

fn isAllowed(mask: u32, token: u32) -> bool {
  if (mask == nobody) { return true; }
  return ((tables[mask + token / 32u] >> (token % 32u)) & 1u) == 1u;
}

/** Words in the order of the numbers. */
fn keyOf(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  return select(bits | 0x80000000u, ~bits, bits >> 31u == 1u);
}

fn logitOf(row: u32, token: u32) -> f32 { return bitcast<f32>(work[row + min(token, p.columns - 1u)]); }

fn isFinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }

/** The greatest of all lanes' and its token, the first of equals; in values[0] and tokens[0]. */
fn greatest(x: f32, token: u32, lane: u32) {
  values[lane] = x;
  tokens[lane] = token;
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    if (lane < half) {
      let other = lane + half;
      if (values[other] > values[lane] || (values[other] == values[lane] && tokens[other] < tokens[lane])) {
        values[lane] = values[other];
        tokens[lane] = tokens[other];
      }
    }
    workgroupBarrier();
  }
}

fn sumOf(x: f32, lane: u32) -> f32 {
  workgroupBarrier();
  values[lane] = x;
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    if (lane < half) { values[lane] = values[lane] + values[lane + half]; }
    workgroupBarrier();
  }
  return values[0];
}
`,
    main: `
  let told = p.rows + group.x * ${rowWords}u;
  let mask = tables[told];
  let results = tables[told + 1u];
  let askedAt = tables[told + 2u];
  let askedCount = tables[told + 3u];
  let capacity = tables[told + 4u];
  let scale = bitcast<f32>(tables[told + 5u]);
  let row = p.logits + group.x * p.stride;
  if (lane < 33u) { atomicStore(&counts[lane], 0u); }
  if (lane == 0u) { atomicStore(&broken, 0u); }
  for (var i = lane; i < askedCount; i += ${lanes}u) {
    work[results + ${resultWords}u + i] = work[row + tables[askedAt + i]];
  }
  var most = bitcast<f32>(0xff800000u | p.zero);
  var chosen = nobody;
  var isBroken = false;
  var keys = vec4u();
${eachToken(
  lanes,
  `if (x > most || chosen == nobody) { most = x; chosen = token; }
        if ((bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u) { isBroken = true; }
        keys[HAND] = max(keys[HAND], keyOf(x));`,
)}
  workgroupBarrier();
  if (isBroken) { atomicStore(&broken, 1u); }
  greatest(most, chosen, lane);
  let best = values[0];
  if (lane == 0u) {
    var id = tokens[0];
    if (id == nobody) { id = bitcast<u32>(${unsampled.allBanned}i); }
    else if (atomicLoad(&broken) == 1u || !isFinite(best)) { id = bitcast<u32>(${unsampled.notFinite}i); }
    work[p.out + group.x] = id;
    work[results] = bitcast<u32>(best);
    work[results + 1u] = id;
  }
  if (capacity == 0u) { return; }
  // The greatest key that enough hands reach, but for its last bits.
  var least = 0u;
  for (var bit = 31u; bit >= 12u; bit--) {
    let next = least | (1u << bit);
    var reaching = 0u;
    for (var hand = 0u; hand < 4u; hand++) { reaching += select(0u, 1u, keys[hand] >= next); }
    atomicAdd(&counts[bit], reaching);
    workgroupBarrier();
    if (atomicLoad(&counts[bit]) >= ${listedOf(lanes)}u) { least = next; }
  }
  let list = results + ${resultWords}u + askedCount;
  var rest = 0.0;
${eachToken(
  lanes,
  `if (keyOf(x) >= least) {
          let i = atomicAdd(&counts[32], 1u);
          if (i < capacity) {
            work[list + 2u * i] = token;
            work[list + 2u * i + 1u] = bitcast<u32>(x);
          }
        } else { rest = rest + exp2((x - best) * scale); }`,
)}
  let others = sumOf(rest, lane);
  if (lane == 0u) {
    work[results + 2u] = least;
    work[results + 3u] = atomicLoad(&counts[32]);
    work[results + 4u] = bitcast<u32>(others);
  }`,
  });

const kernels = new Map<number, ReturnType<typeof kernelOf>>();

function kernelFor(lanes: number) {
  const kernel = kernels.get(lanes) ?? kernelOf(lanes);
  kernels.set(lanes, kernel);
  return kernel;
}

/** Lanes of a workgroup: as many as the device has, up to 1,024, as there is one for each row. */
export function lanesOf({ limits }: Device): number {
  const most = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  return most >= 1024 ? 1024 : most >= 512 ? 512 : 256;
}

/** Writes the ids of the greatest, -1 where it is no finite number, -2 where the mask allows none; and what the rows want. */
export function choose(
  { recorder }: Context,
  out: GpuTokens,
  logits: GpuWorkBuffer,
  rows: readonly ChoiceRow[],
  lanes: number,
): void {
  const told = new Uint32Array(rows.length * rowWords);
  const floats = new Float32Array(told.buffer);
  rows.forEach(({ mask, results, asked, askedCount, capacity, temperature }, i) => {
    told.set([mask, results, asked, askedCount, capacity], i * rowWords);
    floats[i * rowWords + 5] = Math.LOG2E / temperature;
  });
  const { at, stride, columns } = logits;
  recorder.record(kernelFor(lanes), [rows.length], {
    ...{ out: out.at, logits: at, stride, columns, rows: recorder.table(told) },
  });
}
