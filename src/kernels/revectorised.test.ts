import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** What V8 makes of the products of one size, as text. */
function compiled(size: string, without: readonly string[]): string {
  const program = `
    import { compileKernels, kernelBytes, parts, sizesOf, variants } from './src/kernels/module.ts';
    const variant = variants.find(({ name }) => name === 'relaxed-revec');
    for (const part of parts)
      if (sizesOf(part).includes('${size}') && !${JSON.stringify(without)}.includes(part))
        compileKernels(kernelBytes(part, '${size}', variant), variant);
  `;
  const args = ['--print-wasm-code', '--input-type=module', '--eval', program];
  return spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 29 }).stdout;
}

// A swizzle stays at 128 bits, and what is multiplied with it.
for (const [size, without] of [
  ['one', ['IQ4_NL', 'IQ4_XS', 'MXFP4']],
  ['few', ['MXFP4']],
  ['many', []],
] as const)
  test(`products of ${size}: the re-vectoriser makes 256 bits of every pair`, t => {
    const dots = compiled(size, without).matchAll(/vpmaddubsw (.)mm/g);
    const kinds = [...dots].map(([, kind]) => kind);
    if (!kinds.includes('y')) return t.skip('this processor has no AVX2');
    assert.equal(kinds.filter(kind => kind === 'x').length, 0);
  });
