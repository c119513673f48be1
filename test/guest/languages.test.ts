/** The SDKs for Rust and C: what they declare, and what their programs compile to. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { cPrograms, hasClang } from '../../guest/build-c.ts';
import { findRust } from '../../guest/build-rust.ts';
import { classicPrograms } from '../../guest/classic.ts';
import { instrument } from '../../src/sandbox/fuel/instrument.ts';
import { compiled } from './compiled.ts';

const read = (path: string) => readFileSync(new URL(`../../guest/${path}`, import.meta.url), 'utf8');

/** Each function of the host with the number of its parameters, by name. */
function declared(source: string, pattern: RegExp): Map<string, number> {
  const found = [...source.matchAll(pattern)].map(([, name, params]) => [name!, params!.split(',').length] as const);
  return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const inRust = declared(read('rust/src/host.rs'), /pub fn (\w+)\(([^)]*)\)/g);
const inC = declared(read('c/realm.h'), /REALM_IMPORT\(\w+\)\s+int realm_(\w+)\(([^)]*)\)/g);

function check(name: string, bytes: Uint8Array): void {
  const module = new WebAssembly.Module(Uint8Array.from(bytes));
  const imports = WebAssembly.Module.imports(module);
  for (const each of imports) {
    assert.equal(each.module, 'realm2', name);
    assert.ok(inC.has(each.name), `${name} imports ${each.name}`);
  }
  assert.ok(imports.length >= 4 && imports.length <= 40, name);
  const exports = WebAssembly.Module.exports(module).map(each => each.name);
  for (const wanted of ['memory', 'run', 'realm_alloc'])
    assert.ok(exports.includes(wanted), `${name} exports ${wanted}`);
  assert.ok(bytes.length < 150_000, `${name} has ${bytes.length} bytes`);
  assert.ok(WebAssembly.validate(instrument(bytes)), name);
}

test('the host has the same functions in Rust and in C', () => {
  assert.equal(inRust.size, 35);
  assert.deepEqual(inC, inRust);
  const named = [...read('c/realm.h').matchAll(/REALM_IMPORT\((\w+)\)\s+int realm_(\w+)\(/g)];
  for (const [, imported, name] of named) assert.equal(imported, name);
});

test('the programs in Rust have at most 60 lines of 120 characters', () => {
  for (const name of classicPrograms) {
    const lines = read(`programs/rust/${name}.rs`).trimEnd().split('\n');
    assert.ok(lines.length <= 60, name);
    assert.ok(
      lines.every(line => line.length <= 120),
      name,
    );
  }
});

const [rust, clang] = [await findRust(), await hasClang()];

describe('programs in Rust', { skip: !rust && 'no rustc with the target wasm32-unknown-unknown' }, () => {
  test('compile without a warning, and import and export what ABI v2 has', { timeout: 300_000 }, async () => {
    for (const name of classicPrograms) check(name, await compiled('rust', name));
  });
});

describe('programs in C', { skip: !clang && 'no clang with lld for wasm32' }, () => {
  for (const name of cPrograms) {
    test(`${name} compiles without a warning, and imports and exports what ABI v2 has`, async () => {
      check(name, await compiled('c', name));
    });
  }
});
