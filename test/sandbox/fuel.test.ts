import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ModuleError } from '../../src/sandbox/byte-reader.ts';
import { instrument, START } from '../../src/sandbox/fuel/instrument.ts';
import { validateProgram } from '../../src/sandbox/validate.ts';
import { metered, plain } from './fuel-rig.ts';
import { program, wasm } from './helpers.ts';

const memory = '(memory (export "memory") 1 100)';
const f = (body: string, more = '', locals = '(local i32)') =>
  wasm(`(module ${memory} ${more} (func (export "f") (param i32) (result i32) ${locals} ${body}))`);
/** Counts to its parameter. */
const loop = `(loop $l (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
  (local.get 1)`;

/** Both forms of the module answer the same; what the instrumented one used. */
async function same(module: Uint8Array, ...values: readonly number[]): Promise<bigint> {
  const counted = metered(module);
  const wanted = (plain(module).f as (...values: readonly number[]) => unknown)(...values);
  assert.equal(await counted.call('f', ...values), wanted);
  assert.ok(counted.used > 0n);
  return counted.used;
}

describe('an instrumented module', () => {
  test('charges for each turn of a loop', async () => {
    const module = f(loop);
    const [ten, hundred, thousand] = [await same(module, 10), await same(module, 100), await same(module, 1000)];
    assert.equal(thousand - hundred, 10n * (hundred - ten));
    assert.equal(thousand - hundred, 900n * 7n);
  });

  test('charges for calls of every kind', async () => {
    const more = `(type $t (func (param i32) (result i32)))
      (table 4 funcref) (elem (i32.const 1) $g)
      (func $g (param i32) (result i32) (local i64 i64)
        (if (result i32) (local.get 0) (then BODY) (else (i32.const 7))))`;
    const less = '(i32.sub (local.get 0) (i32.const 1))';
    for (const call of [
      `(call $g ${less})`,
      `(return_call $g ${less})`,
      `(call_indirect (type $t) ${less} (i32.const 1))`,
      `(return_call_indirect (type $t) ${less} (i32.const 1))`,
    ]) {
      const module = f('(call $g (local.get 0))', more.replace('BODY', call));
      const [some, many] = [await same(module, 10), await same(module, 1010)];
      assert.ok(many - some >= 1000n * 10n, call);
      assert.equal(await same(module, 2010), many + (many - some));
    }
  });

  test('charges bulk instructions by their length, and the instructions go on working', async () => {
    const more = `(table $t 100 funcref) (table $e 10 externref) (elem $s func $g $g $g) (data $d "abcdefgh")
      (func $g (result i32) (i32.const 3))`;
    const bulk = {
      'memory.fill': '(memory.fill (i32.const 16) (i32.const 7) (local.get 0)) (i32.load (i32.const 16))',
      'memory.copy': '(memory.copy (i32.const 1) (i32.const 0) (local.get 0)) (i32.load (i32.const 1))',
      'memory.init': '(memory.init $d (i32.const 9) (i32.const 0) (local.get 0)) (i32.load (i32.const 9))',
      'table.fill':
        '(table.fill $t (i32.const 1) (ref.func $g) (local.get 0)) (ref.is_null (table.get $t (i32.const 2)))',
      'table.copy': '(table.copy $t $t (i32.const 1) (i32.const 0) (local.get 0)) (i32.const 1)',
      'table.init':
        '(table.init $t $s (i32.const 1) (i32.const 0) (local.get 0)) (ref.is_null (table.get $t (i32.const 3)))',
      'table.grow': '(table.grow $e (ref.null extern) (local.get 0))',
    };
    for (const [name, code] of Object.entries(bulk)) {
      const module = f(code, more);
      const none = await same(module, 0);
      const most = name.endsWith('init') ? 3 : 60;
      const charged = name.startsWith('memory') ? Math.floor(most / 16) : 4 * most;
      assert.equal(Number((await same(module, most)) - none), charged, name);
    }
  });

  test('grows its memory by the host', async () => {
    const module = f('(i32.add (i32.mul (memory.grow (local.get 0)) (i32.const 1000)) (memory.size))');
    await same(module, 0);
    await same(module, 30);
    await same(module, 100);
    await same(module, -1);
  });

  test('keeps the numbers of functions wherever they stand', async () => {
    const more = `(type $t (func (result i32)))
      (table $t 20 funcref) (table $u 4 funcref)
      (func $one (result i32) (i32.const 1)) (func $two (result i32) (i32.const 2)) (func $three (result i32) (i32.const 3))
      (global $g funcref (ref.func $three)) (global $h (mut i32) (i32.const 5)) (global $n i32 (i32.const 2))
      (elem (i32.const 0) $one $two)
      (elem (table $u) (i32.const 1) func $three $one)
      (elem (table $t) (i32.const 4) funcref (ref.func $two) (ref.null func) (ref.func $three))
      (elem $passive func $two) (elem declare func $one)
      (elem $expressions funcref (ref.func $one) (ref.func $two))
      (export "one" (func $one)) (export "h" (global $h))`;
    const at = (table: string, index: number) => `(call_indirect ${table} (type $t) (i32.const ${index}))`;
    const module = f(
      `(table.set $t (i32.const 10) (global.get $g)) (table.set $t (i32.const 11) (ref.func $one))
      (table.init $t $passive (i32.const 12) (i32.const 0) (i32.const 1))
      (table.init $t $expressions (i32.const 13) (i32.const 1) (i32.const 1))
      (global.set $h (i32.add (global.get $h) (local.get 0)))
      ${[at('$t', 0), at('$t', 1), at('$u', 1), at('$u', 2), at('$t', 4), at('$t', 6), at('$t', 10), at('$t', 11), at('$t', 12), at('$t', 13)].reduce((all, each) => `(i32.add (i32.mul ${all} (i32.const 4)) ${each})`)}`,
      more,
    );
    await same(module, 3);
    assert.equal(await metered(module).call('one'), 1);
  });

  test('is not started by its start function, which is an export', async () => {
    const start = `(global $g (mut i32) (i32.const 0))
      (func $s (global.set $g (i32.add (global.get $g) (i32.const 9)))) (start $s)`;
    const counted = metered(f('(global.get $g)', start));
    assert.equal(await counted.call('f', 0), 0);
    await counted.call(START);
    assert.equal(await counted.call('f', 0), 9);
    assert.equal(metered(f('(local.get 0)')).exports[START], undefined);
  });

  test('traps as before', async () => {
    for (const code of ['(unreachable)', '(i32.load (i32.const -1))', '(i32.div_u (i32.const 1) (local.get 0))']) {
      await assert.rejects(metered(f(code)).call('f', 0), WebAssembly.RuntimeError, code);
    }
  });

  test('may be a module of imports only', () => {
    const text = `(module (import "env" "candle_matmul" (func $m (param i32 i32 i32 i32) (result i32)))
      (import "env" "memory64_stats" (func $s (result i32)))
      (memory (export "memory") 1) (export "generate" (func $m)) (export "realm_new" (func $s)))`;
    const module = wasm(text);
    validateProgram(module);
    const env = { candle_matmul: (...values: number[]) => values.length, memory64_stats: () => 5 };
    assert.equal((metered(module, { env }).exports.generate as (...values: number[]) => unknown)(1, 2, 3, 4), 4);
  });
});

describe('fuel', () => {
  test('is the same in every run, however it is cut into turns', async () => {
    const module = f(loop);
    const whole = metered(module);
    await whole.call('f', 100_000);
    assert.equal(whole.refuels, 0);
    for (const slice of [50n, 1000n, 77_777n]) {
      const cut = metered(module, {}, { slice });
      await cut.call('f', 100_000);
      assert.equal(cut.used, whole.used);
      assert.equal(BigInt(cut.refuels), (whole.used - 1n) / slice);
    }
  });

  const endless: Record<string, string> = {
    'a loop': '(loop $l (br $l)) (unreachable)',
    'a loop in a loop': '(loop $o (loop $i (br_if $i (local.get 0)) (br $o))) (unreachable)',
    'a branch table': '(loop $l (br_table $l $l (local.get 0))) (unreachable)',
    'tail calls': '(return_call $self (local.get 0))',
    'two functions': '(return_call $other (local.get 0))',
    'tail calls through the table': '(return_call_indirect (type $t) (local.get 0) (i32.const 0))',
    'a loop of calls': '(loop $l (drop (call $leaf)) (br $l)) (unreachable)',
  };
  for (const [what, code] of Object.entries(endless)) {
    test(`${what} without an end gives way`, async () => {
      const module = wasm(`(module ${memory} (type $t (func (param i32) (result i32))) (table 1 funcref)
        (elem (i32.const 0) $self) (func $leaf (result i32) (i32.const 0))
        (func $other (param i32) (result i32) (return_call $self (local.get 0)))
        (func $self (export "f") (param i32) (result i32) ${code}))`);
      await givesWay(module);
    });
  }

  test('recursion gives way before the stack is full', async () => {
    const deep = '(i32.add (i32.const 1) (call $self (local.get 0)))';
    const module = wasm(`(module ${memory} (func $self (export "f") (param i32) (result i32) ${deep}))`);
    await givesWay(module, 2000n);
  });

  test('a huge memory.fill waits before it runs', async () => {
    const module = f('(memory.fill (i32.const 0) (i32.const 1) (i32.const 1000000000)) (i32.const 1)');
    const slice = 5_000_000n;
    const waiting = metered(module, {}, { slice, turns: 12 });
    void waiting.call('f', 0);
    await waitFor(() => waiting.refuels === 12);
    // 62,500,000 units later it runs, and traps.
    const paying = metered(module, {}, { slice });
    await assert.rejects(paying.call('f', 0), WebAssembly.RuntimeError);
    assert.equal(paying.refuels, 12);
  });

  test('an endless start gives way', async () => {
    const start = '(func $s (loop $l (br $l))) (start $s)';
    const counted = metered(f('(local.get 0)', start), {}, { slice: 1000n, turns: 5 });
    void counted.call(START);
    await waitFor(() => counted.refuels === 5);
  });

  test('two endless guests take turns', async () => {
    const module = f('(loop $l (br $l)) (unreachable)');
    const [one, other] = [1, 2].map(() => metered(module, {}, { slice: 10_000n, turns: 50 }));
    void one!.call('f', 0);
    void other!.call('f', 0);
    await waitFor(() => one!.refuels + other!.refuels === 100);
  });
});

describe('names of the host', () => {
  test('are refused in a program', () => {
    for (const name of ['realm:fuel', 'realm:start', 'realm:x']) {
      assert.throws(() => validateProgram(program('(i32.const 0)', `(global (export "${name}") i64 (i64.const 0))`)), {
        message: `it exports ${name}; names that begin with realm: are the host's own`,
      });
    }
    const importing = '(import "realm:fuel" "refuel" (func))';
    assert.throws(() => validateProgram(wasm(`(module ${importing} ${memory})`)), {
      message: "it imports realm:fuel.refuel, which is the host's own",
    });
  });

  test('have no number that a program could use', () => {
    // The global, the local and the memory behind its own, which V8 would now find.
    const hidden: [RegExp, number[]][] = [
      [/no global 1/, [0x23, 1, 0x1a]],
      [/no global 1/, [0x42, 0, 0x24, 1]],
      [/function 0 has no local 0/, [0x42, 0, 0x21, 0]],
      [/no memory 1/, [0x41, 0, 0x40, 1, 0x1a]],
      [/no function 1/, [0xd2, 1, 0x1a]],
    ];
    for (const [message, code] of hidden) {
      const module = rawModule([...code, 0x0b]);
      const isNamed = (error: unknown) => error instanceof ModuleError && message.test(error.message);
      assert.throws(() => instrument(module), isNamed, String(message));
    }
  });

  test('an arm of a large switch costs what it does, not what all arms do', async () => {
    const work = '(local.set 1 (i32.mul (local.get 1) (i32.const 3)))'.repeat(20);
    const labels = Array.from({ length: 50 }, (_, at) => `$b${at}`);
    const arms = labels.map(() => `) ${work} (br $out)`).join('');
    const code = `(block $out ${labels
      .toReversed()
      .map(each => `(block ${each}`)
      .join('')}
      (br_table ${labels.join(' ')} (local.get 0)) ${arms}) (local.get 1)`;
    const used = await same(f(code), 17);
    assert.ok(used > 80n && used < 300n, `${used}`);
  });
});

async function givesWay(module: Uint8Array, slice = 1_000_000n): Promise<void> {
  const counted = metered(module, {}, { slice, turns: 3 });
  let ended = false;
  void counted.call('f', 0).finally(() => {
    ended = true;
  });
  await waitFor(() => counted.refuels === 3);
  await setImmediate();
  assert.equal(ended, false);
}

/** Guests compute between the looks, at most a slice each. */
async function waitFor(isSo: () => boolean): Promise<void> {
  for (let look = 0; look < 10_000 && !isSo(); look++) await setImmediate();
  assert.ok(isSo());
}

/** A function () -> () with this code, and one global. */
function rawModule(code: readonly number[]): Uint8Array {
  const section = (id: number, content: readonly number[]) => [id, content.length, ...content];
  const body = [0, ...code];
  return Uint8Array.from([
    ...[0, 97, 115, 109, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 0, 0]),
    ...section(3, [1, 0]),
    ...section(6, [1, 0x7f, 1, 0x41, 0, 0x0b]),
    ...section(10, [1, body.length, ...body]),
  ]);
}
