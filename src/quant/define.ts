import { codeReader, type Parts } from './codes.ts';
import { checkSizes, decoder } from './decode.ts';
import { blockBytesOf, type Field, type FieldType, placeFields, scalesOf } from './fields.ts';
import { type Block, type Blocks, type Integers, type QuantFormat, viewBlocks } from './format.ts';
import { gridReader, oddPartReader } from './grid-reader.ts';
import { halfOfNibbles } from './nibbles.ts';
import { type Interleaved, packWords, wordsOf } from './packing.ts';
import { tritReader } from './trits.ts';
import type { PartScales, Weights } from './weights.ts';

interface Declaration<Name extends string, F extends string> {
  readonly name: Name;
  readonly id: number;
  readonly blockSize: 32 | 64 | 128 | 256;
  readonly fields: Readonly<Record<F, FieldType>>;
  readonly weights: Weights<NoInfer<F>>;
  /** Name of the block's scale. */
  readonly scale: NoInfer<F>;
  /** A power of two that the scale is multiplied with; absent: 1. */
  readonly factor?: number;
  readonly parts?: PartScales<NoInfer<F>>;
  readonly minimum?: NoInfer<F>;
  /** See {@link QuantFormat.expanded}. */
  readonly expanded?: QuantFormat;
  /** The kernels' order of the weights' words, where it is not field after field. */
  readonly interleaved?: Interleaved<NoInfer<F>>;
}

/** A format whose elements are integers times scales. */
export function defineFormat<const Name extends string, const F extends string>(
  declaration: Declaration<Name, F>,
): QuantFormat<Name> {
  const { name, id, blockSize, weights, parts, scale, minimum, interleaved, expanded } = declaration;
  const fields: Readonly<Record<string, Field>> = placeFields(declaration.fields);
  const integers = integersOf(declaration, fields);
  const numbers: readonly string[] = minimum === undefined ? [scale] : [scale, minimum];
  const layout = { name, id, blockSize, blockBytes: blockBytesOf(fields) };
  const scales = scalesOf(numbers.map(field => fields[field] as Field));
  const packing = packWords({ fields, weights, parts, numbers, interleaved });
  const format = { ...layout, fields, scales, packing, integers, decode: decoder(layout, integers) };
  return expanded ? { ...format, expanded } : format;
}

interface FloatDeclaration<Name extends string> {
  readonly name: Name;
  readonly id: number;
  readonly type: 'F32' | 'F16' | 'BF16';
  /** Decodes `count` elements, which source and target have room for. */
  readonly decode: (source: Blocks, target: Float32Array, count: number) => void;
}

/** A format whose elements are floats. */
export function defineFloats<const Name extends string>(declaration: FloatDeclaration<Name>): QuantFormat<Name> {
  const { name, id, type } = declaration;
  const fields = placeFields({ value: type });
  const layout = { name, id, blockSize: 1, blockBytes: blockBytesOf(fields) };
  const decode: QuantFormat['decode'] = (source, target, count) => {
    checkSizes(layout, source, target, count);
    declaration.decode(viewBlocks(source), target, count);
  };
  return { ...layout, fields, scales: scalesOf([fields.value]), packing: [wordsOf(fields.value)], decode };
}

function integersOf(
  { blockSize, weights, parts, scale, factor = 1, minimum }: Declaration<string, string>,
  fields: Readonly<Record<string, Field>>,
): Integers {
  const readWeights = weightReader(weights, fields, blockSize);
  const readParts = parts && scaleReader(parts, fields, blockSize, minimum !== undefined);
  const d = numberAt(fields[scale] as Field, factor);
  const m = minimum === undefined ? undefined : numberAt(fields[minimum] as Field);
  const minimumOf = m ? (parts ? 'parts' : 'block') : 'none';
  const unpack: Integers['unpack'] = (blocks, at, block) => {
    readWeights(blocks, at, block);
    readParts?.(blocks, at, block);
    block.d = d(blocks.view, at);
    if (m) block.m = m(blocks.view, at);
  };
  const named = { scale, factor, ...(minimum !== undefined && { minimum }) };
  const inputBlock = blockSize === 256 ? 256 : 32;
  return { weights, inputBlock, ...(parts && { parts }), ...named, minimumOf, unpack };
}

type ReadBlock = (blocks: Blocks, at: number, block: Block) => void;

function weightReader(weights: Weights, fields: Readonly<Record<string, Field>>, count: number): ReadBlock {
  if ('grid' in weights) return gridReader(weights, fields);
  const read = 'trits' in weights ? tritReader(weights, fields) : codeReader(weights, fields, count);
  return ({ bytes }, at, { ints }) => read(bytes, at, ints);
}

function scaleReader(
  parts: PartScales,
  fields: Readonly<Record<string, Field>>,
  blockSize: number,
  minimums: boolean,
): ReadBlock {
  if ('slots' in parts) return oddPartReader(parts, fields);
  const read = partReader(parts, fields, blockSize / parts.size, minimums);
  return ({ bytes }, at, block) => read(bytes, at, block);
}

/** Every 16 elements get a scale and a minimum, whether they share it with the next 16 or not. */
function partReader(parts: Parts, fields: Readonly<Record<string, Field>>, count: number, minimums: boolean) {
  const values = new Int8Array(minimums ? 2 * count : count);
  const read = codeReader(parts, fields, values.length);
  const shift = parts.size === 32 ? 1 : 0;
  return (bytes: Uint8Array, at: number, { scales, mins }: Block) => {
    read(bytes, at, values);
    for (let s = 0; s < scales.length; s++) {
      scales[s] = values[s >> shift];
      if (minimums) mins[s] = values[count + (s >> shift)];
    }
  };
}

function numberAt({ type, offset }: Field, factor = 1): (view: DataView, at: number) => number {
  if (type === 'F32') return (view, at) => view.getFloat32(at + offset, true) * factor;
  if (type === 'F16x4') return (view, at) => halfOfNibbles(view, at + offset) * factor;
  if (type === 'E8M0') return (view, at) => 2 ** (view.getUint8(at + offset) - 127) * factor;
  return (view, at) => view.getFloat16(at + offset, true) * factor;
}
