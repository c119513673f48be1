import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { choicesIn, choose } from './quantizations.ts';

const files = (...paths: string[]) => paths.map((path, i) => ({ path, size: 100 + i, sha256: 'a'.repeat(64) }));
const pick = (paths: string[], wanted?: string) => choose('org/x', choicesIn(files(...paths)), wanted).files[0]?.path;

describe('quantisations of a repository', () => {
  it('are read from the names of files', () => {
    const paths = [
      'Qwen3.5-4B-Q4_K_M.gguf',
      'Qwen3.5-4B-UD-Q4_K_XL.gguf',
      'gpt-oss-20b-mxfp4.gguf',
      'x.IQ2_XXS.gguf',
      'model-bf16.gguf',
      'BF16/y-BF16-00001-of-00002.gguf',
      'BF16/y-BF16-00002-of-00002.gguf',
      'plain.gguf',
      'mmproj-F16.gguf',
      'imatrix_unsloth.gguf',
      'README.md',
    ];
    assert.deepEqual(
      choicesIn(files(...paths)).map(({ quantization, files: parts }) => [quantization, parts.length]),
      [
        ['Q4_K_M', 1],
        ['UD-Q4_K_XL', 1],
        ['MXFP4', 1],
        ['IQ2_XXS', 1],
        ['BF16', 1],
        ['BF16', 2],
        ['plain', 1],
      ],
    );
  });

  it('are chosen as asked, else Q4_K_M, Q8_0, and the first', () => {
    const all = ['m-F16.gguf', 'm-Q4_K_M.gguf', 'm-Q8_0.gguf', 'm-UD-Q4_K_M.gguf'];
    assert.equal(pick(all), 'm-Q4_K_M.gguf');
    assert.equal(pick(all, 'q8_0'), 'm-Q8_0.gguf');
    assert.equal(pick(all, 'UD-Q4_K_M'), 'm-UD-Q4_K_M.gguf');
    assert.equal(pick(all, 'm-F16.gguf'), 'm-F16.gguf');
    assert.equal(pick(['m-F16.gguf', 'm-Q8_0.gguf']), 'm-Q8_0.gguf');
    assert.equal(pick(['m-F16.gguf', 'm-F32.gguf']), 'm-F16.gguf');
  });

  it('that are not there are refused with those that are', () => {
    assert.throws(() => pick(['m-F16.gguf', 'm-Q8_0.gguf'], 'Q4_K_M'), {
      code: 'quantization_not_found',
      message: 'org/x has no Q4_K_M; there are F16, Q8_0.',
    });
    assert.throws(() => pick(['model.safetensors']), { code: 'model_not_found', message: /no GGUF files/ });
  });

  it('whose parts are not all there are refused', () => {
    const parts = ['m-Q4_K_M-00001-of-00003.gguf', 'm-Q4_K_M-00003-of-00003.gguf'];
    assert.throws(() => pick(parts), { code: 'model_invalid', message: /has 2 of the 3 parts/ });
    assert.throws(() => pick(['m-Q4_K_M-00002-of-00001.gguf']), { code: 'model_invalid' });
  });
});
