import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { defineOp, mostParams, type Op } from './op.ts';
import { ops } from './table.ts';

const sample = defineOp({
  name: 'sample',
  params: { rows: 'i32', x: 'i32', factor: 'f32', stride: 'i32' },
  items: ({ rows }) => rows,
  run: at => (_m, _context, first, count, ints, floats) => {
    seen = [first, count, ints[at.rows], ints[at.x], floats[at.factor], ints[at.stride]];
  },
});
let seen: number[] = [];

const nobody = undefined as never;

test('what is written by name is what is read by name', () => {
  const [int, float] = [fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.float({ noNaN: true })];
  const any = fc.record({ rows: int, x: int, factor: float, stride: int }, { noNullPrototype: true });
  fc.assert(
    fc.property(any, fields => {
      const words = new Int32Array(3 + mostParams);
      const floats = new Float32Array(words.buffer);
      sample.write(words, floats, 3, fields);
      sample.run(nobody, nobody, 5, 2, words.subarray(3), floats.subarray(3));
      assert.deepEqual(seen, [5, 2, fields.rows, fields.x, fields.factor, fields.stride]);
    }),
  );
});

test('addresses above 2 GiB keep their bits', () => {
  const words = new Int32Array(mostParams);
  sample.write(words, new Float32Array(words.buffer), 0, { rows: 1, x: 0xffff_fff0, factor: 1, stride: 0 });
  assert.equal(words[1] >>> 0, 0xffff_fff0);
});

test('fields in another order than the parameters are refused', () => {
  const pair = defineOp({ name: 'pair', params: { a: 'i32', b: 'f32' }, items: () => 1, run: () => () => {} });
  const words = new Int32Array(mostParams);
  const write = () => pair.write(words, new Float32Array(words.buffer), 0, { b: 1, a: 0 });
  assert.throws(write, /pair takes a, b in this order, not b, a/);
});

test('an operation of more parameters than a command has room for is refused', () => {
  const params = Object.fromEntries(Array.from({ length: mostParams + 1 }, (_, i) => [`p${i}`, 'i32' as const]));
  assert.throws(() => defineOp({ name: 'wide', params, items: () => 1, run: () => () => {} }), /wide: 20 parameters/);
});

test('every operation has a file and a line in the table', async () => {
  const files = readdirSync(import.meta.dirname).filter(file => !/^(op|ops\.test|routing|table)\.ts$/.test(file));
  const found: string[] = [];
  for (const file of files) {
    const defined = Object.values(await import(`./${file}`)).filter(value => (value as Op)?.run !== undefined) as Op[];
    assert.equal(defined.length, 1, `${file} defines one operation`);
    assert.equal(file, `${defined[0].name.replace(/[A-Z]/g, c => `-${c.toLowerCase()}`)}.ts`);
    assert.equal(ops[defined[0].number], defined[0]);
    found.push(defined[0].name);
  }
  assert.deepEqual(found.sort(), ops.map(({ name }) => name).sort());
});
