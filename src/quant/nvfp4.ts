import { checkSizes } from './decode.ts';
import { blockBytesOf, placeFields } from './fields.ts';
import { type QuantFormat, viewBlocks } from './format.ts';
import { e2m1Values } from './mxfp4.ts';

const fields = placeFields({ d: 4, qs: 32 });
const layout = { name: 'NVFP4', id: 40, blockSize: 64, blockBytes: blockBytesOf(fields) } as const;

/**
 * 64 weights in 36 bytes, in parts of 16: a byte for each part's scale, then eight bytes whose low nibbles are its first eight
 * weights. The scales are floats (E4M3 without a sign) too far apart to be integers, so its weights count as floats.
 * value = scale / 2 * e2m1Values[q]
 */
export const NVFP4: QuantFormat<'NVFP4'> = {
  ...layout,
  fields,
  scales: { kind: 'UE4M3', offsets: [0, 1, 2, 3] },
  packing: [
    { from: fields.d.offset, bytes: 4, count: 1 },
    { from: fields.qs.offset, bytes: 4, count: 8 },
  ],
  decode(source, target, count) {
    checkSizes(layout, source, target, count);
    const { bytes } = viewBlocks(source);
    for (let at = 0, to = 0; to < count; at += layout.blockBytes, to += layout.blockSize)
      for (let part = 0; part < 4; part++) decodePart(bytes, at, part, target, to + 16 * part);
  },
};

function decodePart(bytes: Uint8Array, at: number, part: number, target: Float32Array, to: number): void {
  const scale = halfOfE4m3(bytes[at + part] as number);
  for (let i = 0; i < 8; i++) {
    const byte = bytes[at + fields.qs.offset + 8 * part + i] as number;
    target[to + i] = scale * (e2m1Values[byte & 15] as number);
    target[to + 8 + i] = scale * (e2m1Values[byte >> 4] as number);
  }
}

function halfOfE4m3(byte: number): number {
  const [exponent, mantissa] = [(byte >> 3) & 15, byte & 7];
  return exponent ? (8 + mantissa) * 2 ** (exponent - 11) : mantissa * 2 ** -10;
}
