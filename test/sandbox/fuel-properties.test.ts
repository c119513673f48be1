/** What holds for all instrumented modules: programs drawn at random, real ones, and real ones with bytes changed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileProgram } from '../../guest/build.ts';
import { ModuleError } from '../../src/sandbox/byte-reader.ts';
import { instrument } from '../../src/sandbox/fuel/instrument.ts';
import { limitModule, validateProgram } from '../../src/sandbox/validate.ts';
import { metered, plain } from './fuel-rig.ts';
import { dearestAllowed, widestAllowed } from './hostile-modules.ts';
import { FIRST, op, type RawFunction, rawProgram, ValueType } from './module-builder.ts';

/** A piece of structured code; labels are taken modulo the blocks around them. */
type Node =
  | { readonly kind: 'work'; readonly times: number }
  | { readonly kind: 'block' | 'loop'; readonly body: readonly Node[] }
  | { readonly kind: 'if'; readonly body: readonly Node[]; readonly other: readonly Node[] }
  | { readonly kind: 'br' | 'brIf' | 'brTable'; readonly label: number }
  | { readonly kind: 'call' | 'leaf' | 'return' };

const { nodes } = fc.letrec<{ nodes: Node[]; node: Node }>(tie => ({
  nodes: fc.array(tie('node'), { maxLength: 4, depthIdentifier: 'code' }),
  node: fc.oneof(
    { depthIdentifier: 'code', maxDepth: 4 },
    fc.record({ kind: fc.constant('work' as const), times: fc.nat(30) }),
    fc.record({ kind: fc.constantFrom('br' as const, 'brIf' as const, 'brTable' as const), label: fc.nat(5) }),
    fc.record({ kind: fc.constantFrom('call' as const, 'leaf' as const, 'return' as const) }),
    fc.record({ kind: fc.constantFrom('block' as const, 'loop' as const), body: tie('nodes') }),
    fc.record({ kind: fc.constant('if' as const), body: tie('nodes'), other: tie('nodes') }),
  ),
}));

const memory = { work: 0, turns: 8, seed: 16 } as const;
const load = (at: number) => [...op.i32(at), 0x28, 2, 0];
/** Adds to a number in memory; six instructions. */
const add = (at: number, value: number) => [...op.i32(at), ...load(at), ...op.i32(value), ...op.add, 0x36, 2, 0];
/** The next of a row of numbers; its top bits decide. */
const random = [
  ...[...op.i32(memory.seed), ...load(memory.seed), 0x41, ...[0xed, 0x9c, 0x99, 0x8e, 0x04], 0x6c],
  ...[...op.i32(57), ...op.add, 0x36, 2, 0, ...load(memory.seed), ...op.i32(28), 0x76],
];
const coin = [...random, ...op.i32(1), 0x71];

/** Code that notes in memory how many instructions it runs at least, and ends after some thousand turns of loops. */
function emit(all: readonly Node[], depth: number, calls: number): number[] {
  const within = (body: readonly Node[]) => emit(body, depth + 1, calls);
  return all.flatMap((node): number[] => {
    switch (node.kind) {
      case 'work': {
        const work = Array(node.times)
          .fill([...op.get(0), ...op.drop])
          .flat();
        return [...add(memory.work, Math.min(2 * node.times + 6, 63)), ...work];
      }
      case 'block':
        return [...op.block, ...within(node.body), ...op.end];
      case 'loop': {
        const turn = [...add(memory.work, 14), ...add(memory.turns, 1), ...load(memory.turns), 0x41, 0xd0, 0x0f, 0x4e];
        return [...op.loop, ...turn, ...op.if, 0x0f, ...op.end, ...within(node.body), ...coin, 0x0d, 0, ...op.end];
      }
      case 'if':
        return [...coin, ...op.if, ...within(node.body), ...op.else, ...within(node.other), ...op.end];
      case 'br':
        return depth === 0 ? [] : op.br(node.label % depth);
      case 'brIf':
        return [...coin, ...op.brIf(node.label % (depth + 1))];
      case 'brTable':
        return [...random, ...op.brTable([node.label % (depth + 1), 0, depth])];
      case 'call':
        return op.call(FIRST + calls);
      case 'leaf':
        return op.call(FIRST + 2);
      default:
        return [...coin, ...op.if, 0x0f, ...op.end];
    }
  });
}

/** The first function calls the second, which calls the third, a leaf. */
function randomProgram(first: readonly Node[], second: readonly Node[]): Uint8Array {
  const functions: RawFunction[] = [
    { locals: [[1, ValueType.i32]], code: emit(first, 0, 1) },
    { locals: [[3, ValueType.i32]], code: emit(second, 0, 2) },
    { locals: [[1, ValueType.i32]], code: add(memory.work, 6) },
  ];
  return rawProgram(functions, [['f', FIRST]]);
}

test('random programs do the same, and use no less fuel than they run instructions', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(nodes, nodes, async (first, second) => {
      const module = randomProgram(first, second);
      const original = plain(module);
      (original.f as () => void)();
      const used: bigint[] = [];
      for (const slice of [1n << 40n, 997n]) {
        const counted = metered(module, {}, { slice });
        await counted.call('f');
        used.push(counted.used);
        const bytes = (exports: typeof original) => Buffer.from((exports.memory as WebAssembly.Memory).buffer, 0, 32);
        assert.deepEqual(bytes(counted.exports), bytes(original));
      }
      assert.equal(used[0], used[1]);
      const ran = new Int32Array((original.memory as WebAssembly.Memory).buffer)[0]!;
      assert.ok(used[0]! >= BigInt(ran), `${used[0]} units for ${ran} instructions`);
    }),
    { numRuns: 300 },
  );
});

const real = (name: string) => readFileSync(new URL(`../../guest/wasm/${name}.wasm`, import.meta.url));

test('real programs, and the dearest that are allowed, are valid and little larger', async () => {
  const modules = [real('default'), real('shout'), await compileProgram('shout'), dearestAllowed(), widestAllowed()];
  for (const module of modules) {
    const limited = limitModule(validateProgram(module), 64);
    const instrumented = instrument(limited);
    assert.ok(WebAssembly.validate(instrumented));
    assert.ok(
      instrumented.length < 1.5 * limited.length + 300,
      `${limited.length} became ${instrumented.length} bytes`,
    );
    assert.deepEqual(instrument(limited), instrumented);
  }
});

test('10,000 programs with changed bytes are refused by name, or what they become is as valid as they', {
  timeout: 300_000,
}, () => {
  const originals = [real('default'), real('shout'), randomProgram(...sample())];
  let [state, accepted, refused] = [17, 0, 0];
  const draw = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 10_000; round++) {
    const bytes = Uint8Array.from(originals[round % originals.length]!);
    for (let changes = 1 + draw(3); changes > 0; changes--) bytes[8 + draw(bytes.length - 8)] = draw(256);
    const start = performance.now();
    const changed = attempt(bytes);
    assert.ok(performance.now() - start < 5_000, `round ${round}`);
    if (!changed) refused++;
    else {
      accepted++;
      const isValid = WebAssembly.validate(changed.limited);
      if (WebAssembly.validate(changed.instrumented) === isValid) continue;
      assert.fail(
        `round ${round}: ${isValid ? reason(changed.instrumented) : `valid, but ${reason(changed.limited)}`}`,
      );
    }
  }
  assert.ok(accepted > 500 && refused > 500, `${accepted} accepted, ${refused} refused`);
});

/** What V8 has against it. */
function reason(module: Uint8Array<ArrayBuffer>): string {
  try {
    new WebAssembly.Module(module);
  } catch (error) {
    return String(error);
  }
  return 'nothing';
}

function attempt(
  bytes: Uint8Array,
): { limited: Uint8Array<ArrayBuffer>; instrumented: Uint8Array<ArrayBuffer> } | undefined {
  try {
    const limited = limitModule(validateProgram(bytes), 64);
    return { limited, instrumented: instrument(limited) };
  } catch (error) {
    assert.ok(error instanceof ModuleError, String(error));
    return undefined;
  }
}

function sample(): [Node[], Node[]] {
  const [first = [], second = []] = fc
    .sample(nodes, { numRuns: 200, seed: 7 })
    .sort((a, b) => JSON.stringify(b).length - JSON.stringify(a).length);
  return [first, second];
}
