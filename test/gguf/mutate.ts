/**
 * Structure-aware mutation of GGUF headers: a file is a list of typed fields, so that a mutation hits a count, a type or an offset
 * rather than one of many weight bytes, and a string keeps the length that it declares unless that is what is mutated.
 */
import { ByteWriter } from '../../scripts/synthetic/gguf-writer.ts';
import { byteLength, formats } from '../../src/quant/formats.ts';
import type { QuantType } from '../../src/quant/types.ts';

export type Field =
  | { readonly kind: 'u32'; readonly value: number }
  | { readonly kind: 'u64'; readonly value: bigint }
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  | { readonly kind: 'pad'; readonly value: number };

export type Random = () => number;

/** mulberry32: a small seeded generator of numbers in [0, 1). */
export function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const below = (random: Random, n: number) => Math.floor(random() * n);
const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)] as T;
const text = (value: string): Field[] => {
  const bytes = new TextEncoder().encode(value);
  return [
    { kind: 'u64', value: BigInt(bytes.length) },
    { kind: 'bytes', value: bytes },
  ];
};
const u32 = (value: number): Field => ({ kind: 'u32', value });
const u64 = (value: number): Field => ({ kind: 'u64', value: BigInt(value) });
const zeros = (length: number): Field => ({ kind: 'bytes', value: new Uint8Array(length) });

/** Bytes of a number or boolean of each metadata type. */
const scalarBytes: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};

function value(random: Random, type: number, depth: number): Field[] {
  if (type === 8) return text(pick(random, ['', 'llama', 'Größe', '▁the', 'x'.repeat(40)]));
  if (type !== 9) return [zeros(scalarBytes[type] ?? 0)];
  const element = below(random, depth < 3 ? 13 : 9);
  const count = below(random, 5);
  const elements = Array.from({ length: count }, () => value(random, element, depth + 1)).flat();
  return [u32(element), u64(count), ...elements];
}

/** The fields of a random valid file. */
export function randomFile(random: Random): Field[] {
  const keys = 1 + below(random, 8);
  const tensors = below(random, 6);
  const fields: Field[] = [
    { kind: 'bytes', value: new TextEncoder().encode('GGUF') },
    u32(2 + below(random, 2)),
    u64(tensors),
    u64(keys + 2),
  ];
  fields.push(...text('general.alignment'), u32(4), u32(32), ...text('split.count'), u32(2), zeros(2));
  for (let key = 0; key < keys; key++) {
    const type = below(random, 13);
    fields.push(...text(`key.${key}`), u32(type), ...value(random, type, 0));
  }
  let offset = 0;
  for (let tensor = 0; tensor < tensors; tensor++) {
    const type = pick(random, Object.keys(formats) as QuantType[]);
    const shape = [formats[type].blockSize * (1 + below(random, 2)), ...[1, 2, 1].slice(below(random, 4))];
    fields.push(
      ...text(`blk.${tensor}.weight`),
      u32(shape.length),
      ...shape.map(u64),
      u32(formats[type].id),
      u64(offset),
    );
    offset =
      Math.ceil(
        (offset +
          byteLength(
            type,
            shape.reduce((a, b) => a * b),
          )) /
          32,
      ) * 32;
  }
  return [...fields, { kind: 'pad', value: 32 }, zeros(offset)];
}

const hostile32 = [0, 1, 2, 3, 4, 5, 8, 9, 13, 16, 31, 33, 39, 255, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const hostile64 = [
  0n,
  1n,
  2n,
  31n,
  255n,
  4096n,
  65_537n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 61n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const hostileText = [
  '',
  '__proto__',
  'general.alignment',
  'split.count',
  'split.no',
  'key.0',
  'blk.0.weight',
  '\u0000\u001b[2J\n',
  '\u202e',
];

function mutateField(random: Random, field: Field): Field {
  switch (field.kind) {
    case 'u32':
      return u32(random() < 0.7 ? pick(random, hostile32) : field.value ^ (1 << below(random, 32)));
    case 'u64': {
      const near = field.value + BigInt(below(random, 5) - 2);
      return { kind: 'u64', value: BigInt.asUintN(64, random() < 0.6 ? pick(random, hostile64) : near) };
    }
    case 'bytes': {
      const bytes = Uint8Array.from(field.value);
      if (bytes.length > 0) bytes[below(random, bytes.length)] = below(random, 256);
      return { kind: 'bytes', value: bytes };
    }
    case 'pad':
      return { kind: 'pad', value: 1 + below(random, 64) };
  }
}

/** One to four mutations of `fields`: a value, a string with its length, a field dropped, repeated or moved. */
export function mutate(random: Random, fields: readonly Field[]): Field[] {
  const out = [...fields];
  for (let left = 1 + below(random, 4); left > 0; left--) {
    const at = below(random, out.length);
    const choice = random();
    const field = out[at];
    if (choice < 0.6 && field) out[at] = mutateField(random, field);
    else if (choice < 0.75 && out[at + 1]?.kind === 'bytes') out.splice(at, 2, ...text(pick(random, hostileText)));
    else if (choice < 0.82) out.splice(at, 1 + below(random, 4));
    else if (choice < 0.9) out.splice(at, 0, ...out.slice(at, at + 1 + below(random, 8)));
    else out.splice(below(random, out.length), 0, ...out.splice(at, 1 + below(random, 6)));
    if (out.length === 0) break;
  }
  return out;
}

/** The bytes of `fields`; now and then cut, or with a flipped bit. */
export function encodeFields(random: Random, fields: readonly Field[]): Uint8Array {
  const out = new ByteWriter();
  for (const field of fields) {
    if (field.kind === 'u32') out.u32(field.value);
    else if (field.kind === 'u64') out.u64(field.value);
    else if (field.kind === 'bytes') out.bytes(field.value);
    else out.pad(field.value);
  }
  const bytes = out.done();
  if (bytes.length > 0 && random() < 0.1) {
    const at = below(random, bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
  }
  return random() < 0.1 ? bytes.subarray(0, below(random, bytes.length + 1)) : bytes;
}
