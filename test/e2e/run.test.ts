import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

  it('holds an answer to a schema or a grammar from a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'realm-run-'));
    const [schema, grammar] = [join(folder, 'capital.json'), join(folder, 'word.gbnf')];
    const capital = { type: 'object', properties: { capital: { enum: ['Paris', 'Rome'] } }, required: ['capital'] };
    await writeFile(schema, JSON.stringify({ ...capital, additionalProperties: false }));
    await writeFile(grammar, 'root ::= "Paris" | "Rome"');
    try {
      const fits = await realm(['run', '--schema', schema, 'Name the capital city of France.']);
      assert.deepEqual(Object.keys(JSON.parse(fits.stdout)), ['capital'], fits.stderr);
      const word = await realm(['run', '--grammar', grammar, 'Name the capital city of France.']);
      assert.match(word.stdout, /^(Paris|Rome)\n$/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('refuses an empty prompt', async () => {
    const { code, stderr } = await realm(['run'], { input: '' });
    assert.equal(code, 1);
    assert.match(stderr, /^realm: usage: /);
  });
});
