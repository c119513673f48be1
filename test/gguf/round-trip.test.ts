/** What the writer writes, the parser reads back: any metadata, any tensors, any alignment, in memory and from a file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeGguf, type GgufModel, type MetaArray, type MetaValue } from '../../scripts/synthetic/gguf-writer.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { readerOf } from '../../src/gguf/reader-of.ts';
import type { GgufValue } from '../../src/gguf/types.ts';
import { byteLength, formats } from '../../src/quant/formats.ts';
import type { QuantType } from '../../src/quant/types.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const integer = (bits: number, signed: boolean) => {
  const [min, max] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  return fc.integer({ min, max });
};
const scalars = {
  u8: integer(8, false),
  i8: integer(8, true),
  u16: integer(16, false),
  i16: integer(16, true),
  u32: integer(32, false),
  i32: integer(32, true),
  f32: fc.float(),
  f64: fc.double(),
  bool: fc.boolean(),
  string: text,
  u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
} as const;
type Scalar = keyof typeof scalars;
const scalarNames = Object.keys(scalars) as Scalar[];

const scalar: fc.Arbitrary<MetaValue> = fc.oneof(
  ...scalarNames.map(type => (scalars[type] as fc.Arbitrary<number>).map(value => ({ type, value }))),
);
const flat: fc.Arbitrary<MetaArray> = fc.oneof(
  ...scalarNames.map(type => {
    return fc.array(scalars[type] as fc.Arbitrary<number>, { maxLength: 20 }).map(values => ({ array: type, values }));
  }),
);
const nested: fc.Arbitrary<MetaArray> = fc.array(flat, { maxLength: 4 }).map(arrays => ({ arrays }));
const metadata = fc.uniqueArray(
  fc.tuple(
    text.filter(key => key !== ''),
    fc.oneof(scalar, flat, nested),
  ),
  {
    selector: ([key]) => key,
    maxLength: 12,
  },
);

const tensor = fc.record({
  type: fc.constantFrom(...(Object.keys(formats) as QuantType[])),
  blocks: fc.integer({ min: 1, max: 3 }),
  more: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
  fill: fc.integer({ min: 0, max: 255 }),
});
const tensors = fc.uniqueArray(
  fc.tuple(
    text.filter(name => name !== '' && Buffer.byteLength(name) < 255),
    tensor,
  ),
  {
    selector: ([name]) => name,
    maxLength: 6,
  },
);

const arrayTypes = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
} as const;

/** What the parser must give for a written value. */
function expected(value: MetaValue): GgufValue {
  if ('arrays' in value) return value.arrays.map(array => expected(array) as string[]);
  if ('array' in value) {
    if (value.array === 'string' || value.array === 'bool') return Array.from(value.values) as string[];
    return new arrayTypes[value.array](value.values as never);
  }
  const number = Number(value.value);
  return typeof value.value === 'bigint' && Number.isSafeInteger(number) ? number : value.value;
}

function modelOf(
  entries: [string, MetaValue][],
  list: [string, typeof tensor extends fc.Arbitrary<infer T> ? T : never][],
): GgufModel {
  return {
    metadata: new Map(entries),
    tensors: list.map(([name, { type, blocks, more, fill }]) => {
      const shape = [blocks * formats[type].blockSize, ...more];
      const length = byteLength(
        type,
        shape.reduce((a, b) => a * b),
      );
      return { name, shape, type, bytes: () => [new Uint8Array(length).fill(fill)] };
    }),
  };
}

test('write, then parse', async () => {
  const property = fc.asyncProperty(
    metadata,
    tensors,
    fc.integer({ min: 0, max: 12 }),
    fc.constantFrom(2, 3),
    async (entries, list, log, version) => {
      const model = { ...modelOf(entries, list), alignment: 2 ** log, version };
      const file = await openGguf(memoryReader(encodeGguf(model)));
      assert.equal(file.version, version);
      assert.equal(file.alignment, 2 ** log);
      for (const [key, value] of model.metadata) assert.deepEqual(file.metadata.get(key), expected(value));
      assert.deepEqual(
        [...file.tensors.keys()],
        model.tensors.map(({ name }) => name),
      );
      for (const { name, shape, type, bytes } of model.tensors) {
        const found = file.tensors.get(name)!;
        assert.deepEqual({ shape: found.shape, type: found.type }, { shape, type });
        assert.equal(found.offset % file.alignment, 0);
        const read = await readerOf(file, found.file).read(found.offset, found.bytes);
        assert.deepEqual(new Uint8Array(read), bytes()[Symbol.iterator]().next().value);
      }
    },
  );
  // A metadata key of the same name would be written twice.
  await fc.assert(property, { numRuns: 300 });
});
