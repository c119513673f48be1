/**
 * Integer weights times few tokens. A team of 32 invocations has segments of some rows at a time, an invocation a piece of each.
 * What the pieces give crosses workgroup memory; then one invocation adds up a segment's chain, and another the segments. For
 * one token and for several that is one order of sums.
 */

import { segmentColumns } from '../../../quant/segment.ts';
import type { QuantType } from '../../../quant/types.ts';
import { defineKernel, type Kernel } from '../kernel.ts';
import { type Form, formOf, halfCode, weightCode, weightsBindings } from '../weight-code.ts';
import {
  each,
  fewTokens,
  integerCode,
  matrixCode,
  type ProductParams,
  productParams,
  segmentPieces,
  startCode,
} from './product-code.ts';
import { placeCode, type Which } from './product-places.ts';

/** To be tuned on a device. Two rows of each of four teams: a prompt's last token has work for every core in small models too. */
const teams = 4;
const rowsOfTeam = 2;
/** Segments between two barriers. Their loads are under way together. */
const mostSegments = 4;
/** Bytes of workgroup memory: two workgroups or more in every core. */
const mostBytes = 10 << 10;

/** Rows of a workgroup. */
export const fewRows = teams * rowsOfTeam;
/** Segments between two barriers for rows of so many columns: a power of two. */
export function fewSegments(columns: number): number {
  const segments = Math.ceil(columns / segmentColumns);
  return Math.min(mostSegments, 2 ** Math.floor(Math.log2(segments)));
}

/** Tokens that a workgroup goes through. */
const placeTokens = (which: Which): number => (which === 'all' ? fewTokens : 1);

export interface FewOptions {
  /** Of each matrix; two at most differ, with blocks of one size. */
  readonly types: readonly QuantType[];
  readonly tokens: 1 | 4;
  readonly segments: number;
  readonly which: Which;
  readonly matrices: number;
  readonly packed: boolean;
}

/** What a kernel does besides the product: src/backend/webgpu/fused/ has them. */
export interface Extra {
  readonly name: string;
  readonly params: (product: ProductParams) => ProductParams;
  readonly declarations: (shape: FewShape) => string;
  /**
   * WGSL that runs before segments from `first` on are multiplied with `inputs`, and makes what `pieceOf` and `scaleOf` of its
   * declarations read.
   */
  readonly prepare?: string;
  /** Whether the two rows of a team are one of either matrix, which `storeBoth(token, row, a, b)` stores. */
  readonly pairs?: boolean;
}

export function fewProduct(options: FewOptions, extra?: Extra): Kernel<ProductParams> {
  const { types, tokens, segments, which, matrices, packed } = options;
  const forms = [...new Set(types)].map(formOf);
  const shapes = forms.map(form => shapeOf(form, tokens, segments));
  const own = shapes.map((shape, i) => ofType(i, ownCode(shape, packed, extra), mainOf(shape, extra)));
  const params = productParams(matrices);
  return defineKernel({
    name: `${forms.map(({ type }) => type).join(', ')} times ${tokens === 1 ? 'a token' : 'few tokens'}${extra ? `, ${extra.name}` : ''}`,
    ...(which === 'all' && !extra && forms.length === 1 && { family: fewFamily }),
    params: extra ? extra.params(params) : params,
    bindings: weightsBindings(matrices),
    workgroup: teams * segmentPieces,
    declarations: [
      halfCode,
      placeCode(which, placeTokens(which)),
      matrixCode(matrices),
      `var<workgroup> sums: array<f32, ${Math.max(...shapes.map(({ chains }) => chains))}>;`,
      ...own.map(({ declarations }) => declarations),
    ].join('\n'),
    main: `${extra?.pairs ? startCode(teams, 'groupNumber') : startCode(fewRows)}
  let tokenCount = ${which === 'all' ? 'p.tokens' : '1u'};
  let segmentCount = (p.columns + ${segmentColumns - 1}) / ${segmentColumns};
  ${own.length === 1 ? own[0]!.main : `if (groupNumber < p.start${types.lastIndexOf(types[0]!) + 1}) {${own[0]!.main}\n} else {${own[1]!.main}\n}`}`,
  });
}

/** What depends on the type. */
const ownCode = (shape: FewShape, packed: boolean, extra?: Extra): string =>
  [
    weightCode(shape.form.type),
    integerCode(shape.form, shape.form.subtract, packed),
    `const blockPieces = ${shape.form.pieces}u;`,
    shape.form.pieces === 1 ? smallBlocks(shape.form, shape) : largeBlocks(shape.form, shape),
    extra?.prepare ? '' : workInput,
    extra?.declarations(shape) ?? '',
    segmentCode(shape, extra),
  ].join('\n');

/** The second type's declarations have names of their own. */
function ofType(number: number, declarations: string, main: string): { declarations: string; main: string } {
  if (number === 0) return { declarations, main };
  const names = [...declarations.matchAll(/(?:fn|struct|const|alias|var<workgroup>) (\w+)/g)].map(([, name]) => name);
  const declared = new RegExp(`(?<!\\.)\\b(?:${names.join('|')})\\b`, 'g');
  const renamed = (code: string) => code.replace(declared, `$&_${number}`);
  return { declarations: renamed(declarations), main: renamed(main) };
}

/** Kernels of this family are fused with others. */
export const fewFamily = 'fewProduct';

/** A token's input and scale of a piece, and which of the segments between two barriers it is in. */
const workInput = `
fn pieceOf(t: u32, token: u32, piece: u32, s: u32) -> Input { return input(token, piece); }
fn scaleOf(t: u32, token: u32, piece: u32, s: u32) -> f32 { return inputScale(token, piece / blockPieces); }`;

export interface FewShape {
  readonly form: Form;
  readonly tokens: number;
  /** Segments between two barriers. */
  readonly segments: number;
  /** Outputs of a workgroup. */
  readonly outputs: number;
  readonly chains: number;
  /** Words of a chain, an odd number: those who add up neighbouring chains read different banks. */
  readonly stride: number;
}

/** Numbers of a piece that cross workgroup memory. */
const crossing = ({ minimumOf }: Form): number => (minimumOf === 'none' ? 1 : 2);

function shapeOf(form: Form, tokens: number, wanted: number): FewShape {
  const outputs = fewRows * tokens;
  const stride = segmentPieces * crossing(form) + 1;
  const bytes = 4 * outputs * (stride + 1 + (form.pieces === 1 ? 0 : (2 * segmentPieces) / form.pieces));
  const segments = Math.max(1, Math.min(wanted, Math.floor(mostBytes / bytes)));
  return { form, tokens, segments, outputs, chains: outputs * segments, stride };
}

/** A block is a piece: its terms cross. What is behind the last piece adds zeros, which change nothing. */
function smallBlocks(form: Form, { chains, stride }: FewShape): string {
  const two = crossing(form) === 2;
  return `
var<workgroup> terms: array<f32, ${chains * stride}>;
fn cross(chain: u32, piece: u32, inside: bool, i: vec2i, w: vec2f, x: f32) {
  let at = chain * ${stride} + piece * ${crossing(form)};
  terms[at] = select(0.0, product(f32(i.x), product(w.x, x)), inside);
  ${two ? 'terms[at + 1] = select(0.0, product(w.y, product(x, f32(i.y))), inside);' : ''}
}
fn chainOf(chain: u32) -> f32 {
  var acc = 0.0;
  for (var i = 0u; i < ${segmentPieces * crossing(form)}; i++) { acc += terms[chain * ${stride} + i]; }
  return acc;
}`;
}

/** A block is eight pieces: its integers cross, and its scales. */
function largeBlocks(form: Form, { chains, stride }: FewShape): string {
  const two = crossing(form) === 2;
  const blocks = segmentPieces / form.pieces;
  return `
var<workgroup> pieces: array<i32, ${chains * stride}>;
var<workgroup> factors: array<vec2f, ${chains * blocks}>;
fn cross(chain: u32, piece: u32, inside: bool, i: vec2i, w: vec2f, x: f32) {
  let at = chain * ${stride} + piece;
  pieces[at] = select(0, i.x, inside);
  ${two ? `pieces[at + ${segmentPieces}] = select(0, i.y, inside);` : ''}
  if (piece % ${form.pieces} == 0) {
    factors[chain * ${blocks} + piece / ${form.pieces}] = select(vec2f(0), vec2f(product(w.x, x), product(w.y, x)), inside);
  }
}
fn sumOf(first: u32) -> f32 {
  var sum = 0;
  for (var i = 0u; i < ${form.pieces}; i++) { sum += pieces[first + i]; }
  return f32(sum);
}
fn chainOf(chain: u32) -> f32 {
  var acc = 0.0;
  for (var block = 0u; block < ${blocks}; block++) {
    let first = chain * ${stride} + block * ${form.pieces};
    let factor = factors[chain * ${blocks} + block];
    let second = ${two ? `product(sumOf(first + ${segmentPieces}), factor.y)` : '0.0'};
    acc = addTerms(acc, vec2f(product(sumOf(first), factor.x), second));
  }
  return acc;
}`;
}

/** What a lane gives for its piece of a segment, the s-th between two barriers, in all rows of its team. */
function segmentCode({ tokens, segments }: FewShape, extra?: Extra): string {
  const own = 'lane % 32';
  return `
fn multiply(lane: u32, firstRow: u32, base: u32, tokens: array<u32, ${tokens}>, segment: u32, s: u32) {
  let pieces = p.columns / 32;
  let at = segment * ${segmentPieces} + ${own};
  let inside = at < pieces;
  let piece = min(at, pieces - 1);
  ${each(tokens, t => `let x${t} = pieceOf(${t}, tokens[${t}], piece, s); let d${t} = scaleOf(${t}, tokens[${t}], piece, s);`)}
  ${each(rowsOfTeam, r => {
    const output = `(lane / ${segmentPieces} * ${rowsOfTeam} + ${r})`;
    const cross = (t: number) =>
      `cross((${output} * ${tokens} + ${t}) * ${segments} + s, ${own}, inside, integers(w${r}, parts${r}, x${t}), scale${r}, d${t});`;
    const row = extra?.pairs ? `lane / ${segmentPieces}` : output;
    return `${extra?.pairs ? `useMatrix${r}();` : ''}
  let g${r} = weightRow(firstRow + ${row}, base) * pieces + piece;
  let w${r} = codes(g${r});
  let parts${r} = parts(g${r});
  let scale${r} = numbers(g${r} / blockPieces);
  ${each(tokens, cross)}`;
  })}
}`;
}

/** Output (row, token) has number row * tokens + token; its chain of a segment: output * segments + segment. */
function mainOf({ tokens, segments, outputs, chains }: FewShape, extra?: Extra): string {
  const token = (t: number) => `inputOf(place.first + min(firstToken + ${t}, tokenCount - 1))`;
  const inputs = Array.from({ length: tokens }, (_, t) => token(t)).join(', ');
  const multiply = (s: string | number) => `multiply(lane, firstRow, place.base, inputs, first + ${s}, ${s});`;
  const single = `if (lane < ${outputs} && token < min(tokenCount, place.count) && has(row, place.base)) {
      store(place.first + token, row, total);
    }`;
  const pairs = `workgroupBarrier();
    if (lane < ${outputs}) { sums[lane] = total; }
    workgroupBarrier();
    if (lane < ${outputs / 2} && token < min(tokenCount, place.count) && has(row, place.base)) {
      let at = lane + lane / ${tokens} * ${tokens};
      storeBoth(place.first + token, row, sums[at], sums[at + ${tokens}]);
    }`;
  const some = `for (var s = 0u; s < count; s++) { ${multiply('s')} }`;
  return `
  for (var firstToken = 0u; firstToken < tokenCount; firstToken += ${tokens}) {
    let inputs = array<u32, ${tokens}>(${inputs});
    var total = 0.0;
    for (var first = 0u; first < segmentCount; first += ${segments}) {
      let count = min(${segments}, segmentCount - first);
      ${extra?.prepare ?? ''}
      ${segments === 1 ? some : `if (count == ${segments}) { ${each(segments, multiply)} } else { ${some} }`}
      workgroupBarrier();
      if (lane < ${chains} && lane % ${segments} < count) { sums[lane] = chainOf(lane); }
      workgroupBarrier();
      if (lane < ${outputs}) {
        for (var s = 0u; s < count; s++) {
          let sum = sums[lane * ${segments} + s];
          total = select(total + sum, sum, first + s == 0);
        }
      }
    }
    let row = firstRow + lane / ${tokens};
    let token = firstToken + lane % ${tokens};
    ${extra?.pairs ? pairs : single}
  }`;
}
