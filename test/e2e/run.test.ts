import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { realm } from '../cli/realm.ts';

describe('realm run', () => {
  it('answers one prompt and says how fast', async () => {
    const { code, stdout, stderr } = await realm(['run', 'Name the capital city of France.']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Paris/);
    assert.match(stderr, /^\[\d+\.\d tokens\/s, first token after \d+ ms, \d+ tokens in, \d+ out\]$/m);
  });

  it('takes the prompt from a pipe and answers in JSON', async () => {
    const args = ['run', '--json', '--max-tokens', '3', '--model', 'smollm2-135m'];
    const { code, stdout, stderr } = await realm(args, { input: 'The capital of France is' });
    assert.equal(code, 0, stderr);
    const answer = JSON.parse(stdout);
    assert.equal(answer.completionTokens, 3);
    assert.equal(answer.reason, 'length');
    assert.ok(answer.promptTokens > 5 && answer.timeToFirstTokenMs >= 0 && answer.text.length > 0);
  });

  it('refuses a prompt that the context does not hold, with both numbers', async () => {
    const { code, stdout, stderr } = await realm(['run', '--context', '64'], { input: 'word '.repeat(200) });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^realm: context_length_exceeded: .*\b2\d\d\b.*\b64\b/m);
  });

  it('refuses an empty prompt', async () => {
    const { code, stderr } = await realm(['run'], { input: '' });
    assert.equal(code, 1);
    assert.match(stderr, /^realm: usage: /);
  });
});
