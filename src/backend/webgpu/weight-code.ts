/** WGSL that reads weights out of their planes, made from the declarations in src/quant/. */
import { codeWidth } from '../../quant/codes.ts';
import type { QuantFormat } from '../../quant/format.ts';
import { formats } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import type { Binding } from './kernel.ts';
import { pieceColumns, rowsTogether } from './layout.ts';
import { plainIntegers } from './plain-format.ts';

/** Where a matrix's planes begin, in words of 16 bytes, as parameters. */
export const planeParams = { low: 'u32', high: 'u32', parts: 'u32', partsHigh: 'u32', numbers: 'u32' } as const;

/** Buffers of weights, one for each of a dispatch's matrices. */
export const weightsBindings = (matrices: number): Binding[] =>
  Array.from({ length: matrices }, (_, i) => ({ name: `weights${i}`, type: 'array<vec4u>', access: 'read' }));

/** What main sets first: which buffer, and where the planes are in it. `quadOf(i)`: 16 bytes; `word(i, j)`: word j from there on. */
export function bufferCode(matrices: number): string {
  const last = matrices - 1;
  const each = (read: (name: string) => string) => {
    const others = Array.from(
      { length: last },
      (_, i) => `if (planes.buffer == ${i}) { return ${read(`weights${i}`)}; }`,
    );
    return `${others.join(' ')} return ${read(`weights${last}`)};`;
  };
  return `
struct Planes { buffer: u32, low: u32, high: u32, parts: u32, partsHigh: u32, numbers: u32 }
var<private> planes: Planes;
fn quadOf(i: u32) -> vec4u { ${each(name => `${name}[i]`)} }
fn word(quad: u32, index: u32) -> u32 { ${each(name => `${name}[quad + (index >> 2)][index & 3]`)} }`;
}

/** A float of 16 bits. Integers keep subnormal halves, which a GPU may flush otherwise. */
export const halfCode = `
fn half(h: u32) -> f32 {
  let magnitude = h & 0x7fffu;
  let small = bitcast<u32>(f32(magnitude) * 0x1p-24f);
  return bitcast<f32>(select((magnitude << 13) + 0x38000000u, small, magnitude < 0x400) | ((h & 0x8000) << 16));
}`;

/** 32 columns, four in a word: those before column 16, and the others. */
const pieceCode = `
struct Piece { a: vec4u, b: vec4u }`;

/** Things that formats differ in, as numbers. */
export interface Form {
  readonly type: QuantType;
  /** Pieces of a block of inputs: 1 or 8. */
  readonly pieces: number;
  /** Subtracted from codes. */
  readonly subtract: number;
  /** Columns that share an integer scale; 0 where there is none. */
  readonly part: 0 | 16 | 32;
  readonly minimumOf: 'none' | 'block' | 'parts';
}

export function formOf(type: QuantType): Form {
  const { weights, inputBlock, parts, minimumOf } = plainIntegers(formats[type])!;
  const subtract = weights.odd ? 2 ** codeWidth(weights) - 1 : (weights.subtract ?? 0);
  return { type, pieces: inputBlock / pieceColumns, subtract, part: parts?.size ?? 0, minimumOf };
}

/**
 * - `codes(piece)`: signed bytes, before {@link Form.subtract} is subtracted; `values(piece)`: after that
 * - `parts(piece)`: integer scales and minimums of its halves, where the format has parts
 * - `numbers(block)`: scale and minimum, by the number of the block of inputs
 *
 * Behind `halfCode`.
 */
export function weightCode(type: QuantType): string {
  const format: QuantFormat = formats[type];
  return [pieceCode, codesCode(format), partsCode(format), numbersCode(format)].join('\n');
}

function codesCode(format: QuantFormat): string {
  const { weights } = plainIntegers(format)!;
  const { table, odd } = weights;
  const { subtract } = formOf(format.name as QuantType);
  const [low, high] = weights.bits;
  const parts = [readPlane('low', low.width)];
  const codes = (half: 'a' | 'b') => (high ? `low.${half} | (high.${half} << vec4u(${low.width}))` : `low.${half}`);
  if (high) parts.push(readPlane('high', high.width));
  const meant = (half: 'a' | 'b') =>
    table ? `tabled(${codes(half)})` : odd ? `(${codes(half)}) << vec4u(1)` : codes(half);
  return `
${table ? tableCode(table) : ''}
// ${format.name}
fn codes(g: u32) -> Piece {
  ${parts.join('\n  ')}
  return Piece(${meant('a')}, ${meant('b')});
}
fn values(g: u32) -> Piece {
  let u = codes(g);
  return Piece(${shifted('u.a', subtract)}, ${shifted('u.b', subtract)});
}`;
}

/** Bytes below 128 less `subtract` in each, without borrowing from the next. */
const shifted = (u: string, subtract = 0): string =>
  subtract ? `((${u} | vec4u(0x80808080)) - vec4u(${subtract * 0x01010101})) ^ vec4u(0x80808080)` : u;

/** Declares `let name: Piece`: the codes of plane `name` of piece g, one in a byte. */
function readPlane(name: 'low' | 'high', width: number): string {
  const mask = `vec4u(${((2 ** width - 1) * 0x01010101) >>> 0})`;
  const quad = `planes.${name}`;
  if (width === 8) return `let ${name} = Piece(quadOf(${quad} + 2 * g), quadOf(${quad} + 2 * g + 1));`;
  if (width === 4)
    return `let ${name}4 = quadOf(${quad} + g);
  let ${name} = Piece(${name}4 & ${mask}, (${name}4 >> vec4u(4)) & ${mask});`;
  if (width === 2)
    return `let ${name}4 = quadOf(${quad} + (g >> 1));
  let ${name}2 = select(${name}4.xyxy, ${name}4.zwzw, (g & 1) == 1);
  let ${name} = Piece((${name}2 >> vec4u(0, 0, 2, 2)) & ${mask}, (${name}2 >> vec4u(4, 4, 6, 6)) & ${mask});`;
  return `let ${name}1 = vec4u(word(${quad}, g));
  let ${name} = Piece((${name}1 >> vec4u(0, 1, 2, 3)) & ${mask}, (${name}1 >> vec4u(4, 5, 6, 7)) & ${mask});`;
}

function tableCode(table: Int8Array): string {
  const bytes = [...table].map(value => `${value & 255}u`).join(', ');
  const byte = (i: number) => `(table[(u >> ${8 * i}) & 15] << ${8 * i})`;
  return `
const table = array<u32, 16>(${bytes});
fn tabledWord(u: u32) -> u32 { return ${[0, 1, 2, 3].map(byte).join(' | ')}; }
fn tabled(u: vec4u) -> vec4u { return vec4u(tabledWord(u.x), tabledWord(u.y), tabledWord(u.z), tabledWord(u.w)); }`;
}

function partsCode(format: QuantFormat): string {
  const { parts, minimum } = plainIntegers(format)!;
  if (!parts) return '';
  const [low, high] = parts.bits[0].width === 6 ? [4, 2] : parts.bits.map(({ width }) => width);
  const each = pieceColumns / parts.size;
  const codes = each * (minimum === undefined ? 1 : 2);
  const code = (i: number) => {
    const upper = high ? ` | (extractBits(high, ${i * high}, ${high}) << ${low})` : '';
    const whole = `i32(extractBits(low, ${i * low!}, ${low})${upper})`;
    return parts.signed ? `extractBits(${whole}, 0, 8)` : `${whole} - ${parts.subtract ?? 0}`;
  };
  /** Both halves of a piece may share one. */
  const pair = (first: number) => `vec2i(${code(first)}, ${code(first + each - 1)})`;
  return `
struct Parts { scales: vec2i, minimums: vec2i }
fn parts(g: u32) -> Parts {
  let low = ${bitsOf('parts', codes * low!)};
  ${high ? `let high = ${bitsOf('partsHigh', codes * high)};` : ''}
  return Parts(${pair(0)}, ${minimum === undefined ? 'vec2i(0)' : pair(each)});
}`;
}

/** The `bits` of piece g in a plane. */
const bitsOf = (plane: 'parts' | 'partsHigh', bits: number): string =>
  `word(planes.${plane}, (g * ${bits}) >> 5) >> ((g * ${bits}) & 31)`;

function numbersCode({ scales, blockSize, integers }: QuantFormat): string {
  const own = blockSize / integers!.inputBlock;
  if (scales.kind === 'F32')
    return 'fn numbers(block: u32) -> vec2f { return vec2f(bitcast<f32>(word(planes.numbers, block)), 0); }';
  if (scales.kind === 'E8M0')
    return `
// 2^(e - 128)
fn numbers(block: u32) -> vec2f {
  let e = extractBits(word(planes.numbers, block >> 2), 8 * (block & 3), 8);
  return vec2f(bitcast<f32>(select((e - 1) << 23, 0x200000u << e, e < 2)), 0);
}`;
  if (integers!.minimum !== undefined)
    return `
fn numbers(block: u32) -> vec2f {
  let both = word(planes.numbers, block);
  return vec2f(half(both & 0xffff), half(both >> 16));
}`;
  return `
fn numbers(block: u32) -> vec2f {
  let i = block${own > 1 ? ` / ${own}` : ''};
  return vec2f(half(extractBits(word(planes.numbers, i >> 1), 16 * (i & 1), 16)), 0);
}`;
}

/** Floats of 16 bytes. */
export const floatsOf = { F32: 4, F16: 8, BF16: 8 } as const;
export type FloatType = keyof typeof floatsOf;
export const isFloat = (type: QuantType): type is FloatType => type in floatsOf;

/** `floatQuad(row, quad)`: 16 bytes of a row; `floatOf(bytes, i)`: a float of these. */
export function floatCode(type: FloatType): string {
  const count = floatsOf[type];
  const bits = 'extractBits(u[i / 2], 16 * (i & 1), 16)';
  const value = { F32: 'bitcast<f32>(u[i])', F16: `half(${bits})`, BF16: `bitcast<f32>(${bits} << 16)` }[type];
  return `${halfCode}
fn floatOf(u: vec4u, i: u32) -> f32 { return ${value}; }
fn floatQuad(row: u32, quad: u32) -> vec4u {
  let quads = (p.columns + ${count - 1}) / ${count};
  return quadOf(planes.low + (row / ${rowsTogether} * quads + quad) * ${rowsTogether} + row % ${rowsTogether});
}`;
}
