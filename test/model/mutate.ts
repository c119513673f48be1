/** Models that hardly differ from ones that load: a number, a shape, a format or some bytes are others, or missing. */
import type { GgufModel, MetaValue, TensorPlan } from '../../scripts/synthetic/gguf-writer.ts';
import { byteLength, formats } from '../../src/quant/formats.ts';
import type { QuantType } from '../../src/quant/types.ts';

export type Random = () => number;

const below = (random: Random, n: number): number => Math.floor(random() * n);
const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)] as T;

const hostileIntegers = [
  ...[0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 31, 32, 33, 63, 64, 65, 96, 100, 128, 256, 1000, 1024, 1025, 4096, 65_535],
  ...[2 ** 17, 2 ** 20, 2 ** 24, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1],
];
const hostileFloats = [0, -1, 0.5, 1, 2, 1e-38, 1e-5, 1e5, 1e30, 3e38, Infinity, -Infinity, Number.NaN];
const types = Object.keys(formats) as QuantType[];

/** One mutation, or two or three. Keys and tensors of the whole vocabulary are left alone: another test is about them. */
export function mutate(random: Random, model: GgufModel): GgufModel {
  let mutated = model;
  for (let left = random() < 0.6 ? 1 : 2 + below(random, 2); left > 0; left--) {
    const { metadata, tensors } = mutated;
    mutated =
      random() < 0.55
        ? { ...mutated, metadata: mutateMetadata(random, metadata) }
        : { ...mutated, tensors: mutateTensors(random, tensors) };
  }
  return mutated;
}

function mutateMetadata(random: Random, metadata: GgufModel['metadata']): GgufModel['metadata'] {
  const out = new Map(metadata);
  const keys = [...out.keys()].filter(key => !/^(general|tokenizer)\./.test(key));
  const key = pick(random, keys);
  if (random() < 0.08) out.delete(key);
  else out.set(key, mutateValue(random, out.get(key) as MetaValue));
  return out;
}

function mutateValue(random: Random, value: MetaValue): MetaValue {
  if (random() < 0.05) return { type: 'string', value: pick(random, ['', 'yarn', 'none', '7', '__proto__']) };
  if ('arrays' in value) return { arrays: [] };
  if ('array' in value) return mutateArray(random, value);
  if (random() < 0.1) return { array: value.type, values: new Array(below(random, 5)).fill(value.value) };
  return { type: value.type, value: mutateScalar(random, value.type, value.value) };
}

type Plain = Extract<MetaValue, { array: unknown }>;

function mutateArray(random: Random, { array, values }: Plain): MetaValue {
  const list = Array.from(values);
  const choice = random();
  const at = below(random, list.length);
  if (choice < 0.15) list.pop();
  else if (choice < 0.3) list.push(list[at] ?? 0);
  else if (choice < 0.35) list.length = 0;
  else if (choice < 0.5) list.fill(mutateScalar(random, array, list[at] ?? 0));
  else list[at] = mutateScalar(random, array, list[at] ?? 0);
  return { array, values: list };
}

function mutateScalar<T extends number | bigint | boolean | string>(
  random: Random,
  type: string,
  value: T,
): T | number {
  if (typeof value === 'string') return pick(random, ['', 'spiral', 'linear', 'yarn', 'longrope']) as T;
  if (type === 'f32' || type === 'f64') return pick(random, hostileFloats);
  if (type === 'bool') return random() < 0.5 ? 0 : 1;
  const near = Math.max(0, pick(random, [Number(value) - 1, Number(value) + 1, 2 * Number(value), Number(value) >> 1]));
  const found = random() < 0.4 ? near : pick(random, hostileIntegers);
  return type === 'i32' && random() < 0.1 ? -found : found;
}

function mutateTensors(random: Random, tensors: readonly TensorPlan[]): readonly TensorPlan[] {
  const at = below(random, tensors.length);
  const tensor = tensors[at] as TensorPlan;
  const choice = random();
  if (choice < 0.12) return tensors.filter(each => each !== tensor);
  if (choice < 0.2) return [...tensors, beside(random, tensor)];
  return tensors.with(
    at,
    choice < 0.5 ? reshaped(random, tensor) : choice < 0.7 ? retyped(random, tensor) : poisoned(random, tensor),
  );
}

/** What files have beside a matrix, or for rotations; of a length that fits, or not. */
function beside(random: Random, { name, shape }: TensorPlan): TensorPlan {
  const prefix = name.replace(/\.\w+$/, '');
  const other = pick(random, [`${prefix}.scale`, `${prefix}.input_scale`, `${prefix}.bias`, 'rope_freqs.weight']);
  const lengths = [1, shape[1] ?? 1, shape[2] ?? 1, 7, 8, 16];
  return random() < 0.5
    ? floats(random, other, [pick(random, lengths)])
    : floats(random, other, shape.length > 1 ? shape.slice(1) : shape);
}

function floats(random: Random, name: string, shape: readonly number[]): TensorPlan {
  const length = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length }, () => (random() < 0.02 ? pick(random, hostileFloats) : random() + 0.5));
  return { name, shape, type: 'F32', bytes: () => [new Uint8Array(values.buffer)] };
}

function reshaped(random: Random, { name, type, shape }: TensorPlan): TensorPlan {
  const sizes = [...shape];
  const at = below(random, sizes.length);
  const size = sizes[at] as number;
  const choice = random();
  if (choice < 0.2) sizes.reverse();
  else if (choice < 0.3) sizes.push(1 + below(random, 2));
  else sizes[at] = pick(random, [1, size - 1, size + 1, 2 * size, size / 2, size * formats[type].blockSize]);
  return filled(
    random,
    name,
    type,
    sizes.map(each => Math.max(1, Math.floor(each))),
  );
}

const retyped = (random: Random, { name, shape }: TensorPlan): TensorPlan =>
  filled(random, name, pick(random, types), shape);

/** Whole blocks; a row that is none of them is made longer. */
function filled(random: Random, name: string, type: QuantType, shape: readonly number[]): TensorPlan {
  const { blockSize } = formats[type];
  const [row = 1, ...rest] = shape;
  const whole = [Math.ceil(row / blockSize) * blockSize, ...rest];
  const length = byteLength(
    type,
    whole.reduce((a, b) => a * b, 1),
  );
  // Bytes that are small numbers in most formats.
  const bytes = new Uint8Array(length).fill(below(random, 0x30));
  return { name, shape: whole, type, bytes: () => [bytes] };
}

/** Some blocks hold what is no finite number, or anything. */
function poisoned(random: Random, tensor: TensorPlan): TensorPlan {
  const bytes = Buffer.concat([...tensor.bytes()]);
  const { blockBytes } = formats[tensor.type];
  for (let left = 1 + below(random, 3); left > 0; left--) {
    const block = below(random, bytes.length / blockBytes) * blockBytes;
    if (random() < 0.4) bytes.fill(0xff, block, block + blockBytes);
    else bytes[block + below(random, blockBytes)] = below(random, 256);
  }
  return { ...tensor, bytes: () => [new Uint8Array(bytes)] };
}
