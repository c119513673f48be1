import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReference, readHubName, readReference } from './reference.ts';

test('a model of a hub is named with or without a quantisation', () => {
  const plain = { kind: 'hub', repo: 'Org/Some-Model.v1-GGUF' };
  for (const text of ['hf:Org/Some-Model.v1-GGUF', 'hf://Org/Some-Model.v1-GGUF', 'HF:Org/Some-Model.v1-GGUF'])
    assert.deepEqual(readReference(text), plain);
  assert.deepEqual(readReference('hf:Org/Some-Model.v1-GGUF:Q8_0'), { ...plain, quantization: 'Q8_0' });
  assert.deepEqual(readHubName('Org/Some-Model.v1-GGUF'), plain);
});

test('what is no such name is none, and is refused behind hf:', () => {
  for (const text of ['x', 'a/b/c', '../b', 'a/..', '/a', 'a/b.gguf', 'a/b:', 'a b/c', '.a/b', `a/${'b'.repeat(97)}`]) {
    assert.equal(readHubName(text), undefined, text);
    assert.throws(() => readReference(`hf:${text}`), { code: 'model_not_found' }, text);
    assert.equal(isReference(`hf:${text}`), false, text);
  }
});

test('a model of Ollama', () => {
  assert.deepEqual(readReference('ollama:qwen3:4b'), { kind: 'ollama', name: 'qwen3:4b' });
  assert.ok(isReference('ollama:qwen3'));
  assert.equal(readReference('smollm2-135m'), undefined);
  assert.equal(readReference('./model.gguf'), undefined);
});
