/**
 * What counting fuel costs: the time of instrumented programs by that of the same as they were, and what the rewriting
 * adds to bytes and to compiling. Both take turns; what counts is the processor time of all rounds.
 * `node scripts/bench/fuel.ts [ROUNDS] [FILE.wasm ...]`
 */
import { readFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';
import binaryen from 'assemblyscript/binaryen';
import { checkFunctionBodies } from '../../src/sandbox/compile-cost.ts';
import { FUEL, instrument, START } from '../../src/sandbox/fuel/instrument.ts';
import { readModule } from '../../src/sandbox/module-reader.ts';

const rounds = Number(process.argv[2] ?? 15);

const turns = (body: string) => `(func (export "run") (param i32) (result i32) (local i32 i32)
  (local.set 2 (i32.const 77))
  (loop $l ${body} (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
  (local.get 2))`;
const set = (value: string) => `(local.set 2 ${value})`;
const shifted = (shift: string, by: number) =>
  set(`(i32.xor (local.get 2) (${shift} (local.get 2) (i32.const ${by})))`);

/** The text of a module's functions, and what `run` gets. */
const loops: Record<string, [string, number]> = {
  'fib (calls itself)': [
    `(func $f (export "run") (param i32) (result i32)
      (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0)) (else (i32.add
        (call $f (i32.sub (local.get 0) (i32.const 1))) (call $f (i32.sub (local.get 0) (i32.const 2)))))))`,
    34,
  ],
  'an empty loop': [turns(''), 60_000_000],
  'a sum of bytes': [
    turns(set('(i32.add (local.get 2) (i32.load8_u (i32.and (local.get 1) (i32.const 65535))))')),
    40_000_000,
  ],
  xorshift: [turns([shifted('i32.shl', 13), shifted('i32.shr_u', 17), shifted('i32.shl', 5)].join('')), 20_000_000],
  'calls of a small function': [
    `(func $g (param i32) (result i32) (i32.add (i32.mul (local.get 0) (i32.const 31)) (i32.const 7)))
    ${turns(set('(call $g (local.get 2))'))}`,
    30_000_000,
  ],
  'calls through the table': [
    `(type $t (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) $g)
    (func $g (type $t) (i32.add (i32.mul (local.get 0) (i32.const 31)) (i32.const 7)))
    ${turns(set('(call_indirect (type $t) (local.get 2) (i32.const 0))'))}`,
    10_000_000,
  ],
};

/** What programs of the SDK do between two calls of the host. */
const sdk: Record<string, [string, number]> = {
  'texts: UTF-8, upper case, concatenation': [
    `const line = 'The quick brown fox jumps over the lazy dog, and äöü. ';
    export function run(n: i32): i32 {
      let sum = 0;
      for (let i = 0; i < n; i++) {
        const bytes = String.UTF8.encode(line + i.toString());
        sum += String.UTF8.decode(bytes).toUpperCase().length;
      }
      return sum;
    }`,
    40_000,
  ],
  'JSON: written and read': [
    `function quote(text: string): string {
      let out = '"';
      for (let i = 0; i < text.length; i++) {
        const c = text.charCodeAt(i);
        out += c == 34 || c == 92 ? '\\\\' + String.fromCharCode(c) : String.fromCharCode(c);
      }
      return out + '"';
    }
    function depth(json: string): i32 {
      let most = 0, now = 0, inside = false;
      for (let i = 0; i < json.length; i++) {
        const c = json.charCodeAt(i);
        if (inside) { if (c == 92) i++; else if (c == 34) inside = false; }
        else if (c == 34) inside = true;
        else if (c == 123) { now++; most = max(most, now); }
        else if (c == 125) now--;
      }
      return most;
    }
    export function run(n: i32): i32 {
      let sum = 0;
      for (let i = 0; i < n; i++) {
        const json = '{"role":' + quote('user "x" ' + i.toString()) + ',"content":{"text":' + quote('hello') + '}}';
        sum += depth(json) + json.length;
      }
      return sum;
    }`,
    15_000,
  ],
  'scores: top 40 of 49,152, softmax': [
    `const scores = new Float32Array(49152);
    export function run(n: i32): i32 {
      let sum = 0;
      for (let turn = 0; turn < n; turn++) {
        let seed: u32 = turn;
        for (let i = 0; i < scores.length; i++) {
          seed = seed * 1664525 + 1013904223;
          unchecked((scores[i] = <f32>(seed >> 8) / 16777216));
        }
        const best = new StaticArray<i32>(40);
        let filled = 0;
        for (let i = 0; i < scores.length; i++) {
          const score = unchecked(scores[i]);
          if (filled == 40 && score <= unchecked(scores[best[39]])) continue;
          let at = filled < 40 ? filled++ : 39;
          while (at > 0 && unchecked(scores[best[at - 1]]) < score) { unchecked((best[at] = best[at - 1])); at--; }
          unchecked((best[at] = i));
        }
        let total: f64 = 0;
        for (let i = 0; i < 40; i++) total += Math.exp(<f64>unchecked(scores[best[i]]));
        sum += unchecked(best[0]) + <i32>total;
      }
      return sum;
    }`,
    150,
  ],
  'votes: a map of answers, sorted': [
    `export function run(n: i32): i32 {
      const votes = new Map<string, i32>();
      for (let i = 0; i < n; i++) {
        const answer = ((i * 7919) % 97).toString();
        votes.set(answer, (votes.has(answer) ? votes.get(answer) : 0) + 1);
      }
      const counts = votes.values().sort((a, b) => b - a);
      return counts[0] * 1000 + counts.length;
    }`,
    400_000,
  ],
};

function assemble(text: string): Uint8Array {
  const module = binaryen.parseText(`(module (memory (export "memory") 1) ${text})`);
  module.setFeatures(binaryen.Features.All);
  try {
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

async function compile(source: string): Promise<Uint8Array> {
  let compiled: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    ['in.ts', '--outFile', 'out.wasm', '--runtime', 'minimal', '-O3', '--noAssert'],
    {
      readFile: path => (path === 'in.ts' ? source : null),
      writeFile: (_path, contents) => {
        compiled = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || !compiled) throw new Error(`it does not compile: ${stderr.toString()}`);
  return compiled;
}

type Run = (value: number) => number;

const stub = { env: { abort: () => {} } };

function original(module: Uint8Array): Run {
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(module)), stub).exports.run as Run;
}

function counted(module: Uint8Array): { run: Run; used: () => bigint } {
  const host = {
    refuel: () => {},
    grow: (pages: number) => (exports.memory as WebAssembly.Memory).grow(pages),
  };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(instrument(module)), { ...stub, [FUEL]: host });
  const fuel = exports[FUEL] as WebAssembly.Global;
  const start = 1n << 60n;
  fuel.value = start;
  (exports[START] as (() => void) | undefined)?.();
  return { run: exports.run as Run, used: () => start - fuel.value };
}

function time(run: () => void): number {
  const start = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000;
}

/** The first rounds are the baseline compiler's; those are not what counts. */
function compare(name: string, module: Uint8Array, value: number): number {
  const [plain, metered] = [original(module), counted(module)];
  const [before, after]: number[][] = [[], []];
  for (let round = 0; round < rounds + 5; round++) {
    const [one, other] = [time(() => plain(value)), time(() => metered.run(value))];
    if (round < 5) continue;
    before!.push(one);
    after!.push(other);
  }
  const [least, most] = [before!, after!].map(times => times.reduce((sum, ms) => sum + ms, 0) / rounds) as [
    number,
    number,
  ];
  const perUnit = (most * 1e6) / (Number(metered.used()) / (rounds + 5));
  const figures = [`x${(most / least).toFixed(2)}`, `${least.toFixed(1)} ms`, `${most.toFixed(1)} ms`];
  console.log(`${name.padEnd(42)} ${figures.join('  ')}  ${perUnit.toFixed(2)} ns a unit`);
  return most / least;
}

for (const [name, [text, value]] of Object.entries(loops)) compare(name, assemble(text), value);
for (const [name, [source, value]] of Object.entries(sdk)) compare(name, await compile(source), value);

for (const path of ['guest/wasm/default.wasm', 'guest/wasm/shout.wasm', ...process.argv.slice(3)]) {
  const module = readFileSync(path);
  let instrumented: Uint8Array = module;
  const ms = Math.min(...Array.from({ length: 5 }, () => time(() => (instrumented = instrument(module)))));
  const costs = [module, instrumented].map(bytes => checkFunctionBodies(readModule(bytes)).total);
  const added = [instrumented.length / module.length, costs[1]! / costs[0]!].map(each => `x${each.toFixed(2)}`);
  console.log(
    `${path}: ${module.length} bytes ${added[0]}, cost of compiling ${costs[0]} ${added[1]}, ${ms.toFixed(1)} ms`,
  );
}
