/** Limits of how fast, as clients meet them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unmetered } from '../../src/metering/meter.ts';
import { LocalRates } from '../../src/rates/book.ts';
import { withRates } from '../../src/rates/meter.ts';
import type { Rate } from '../../src/rates/rate.ts';
import { Rates } from '../../src/rates/rates.ts';
import { post, type Script, scripted } from './scripted.ts';

function limited(rate: Rate, script: Script = { answer: () => 'ok' }) {
  const rates = new Rates(new LocalRates(), () => ({ tenant: rate }));
  return scripted(script, { rates, meter: withRates(unmetered, rates) });
}

const chat = { messages: [{ role: 'user', content: 'hi' }], max_tokens: 5 };

test('answers tell what is left, refusals which limit denied and for how long', async () => {
  const { app } = limited({ requestsPerMinute: 1, tokensPerMinute: 1000 });
  const answer = await app.fetch(post('/v1/chat/completions', chat));
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('x-ratelimit-limit-requests'), '1');
  assert.equal(answer.headers.get('x-ratelimit-remaining-requests'), '0');
  assert.match(answer.headers.get('x-ratelimit-reset-requests')!, /^(59\.\d+s|1m0s)$/);
  assert.equal(answer.headers.get('x-ratelimit-limit-tokens'), '1000');
  const used = (await answer.json()).usage.total_tokens;
  const remaining = Number(answer.headers.get('x-ratelimit-remaining-tokens'));
  assert.ok(remaining >= 1000 - used && remaining <= 1000 - used + 2, `${remaining} after ${used}`);
  for (const path of ['/v1/chat/completions', '/v1/messages', '/api/chat', '/v1/responses', '/v1/embeddings']) {
    const refused = await app.fetch(post(path, chat));
    assert.equal(refused.status, 429, path);
    assert.match(refused.headers.get('retry-after')!, /^(59|60)$/);
    assert.equal(refused.headers.get('x-ratelimit-remaining-requests'), '0');
    assert.equal(refused.headers.get('x-ratelimit-limit-tokens'), null);
    assert.match(JSON.stringify(await refused.json()), /requests_per_minute/);
  }
  assert.equal((await app.fetch(new Request('http://localhost/v1/models'))).status, 200, 'asks no model');
});

test('a stream that was read, left or never begun leaves its place among those at once', async () => {
  const { app, services } = limited({ concurrent: 1 }, { answer: () => 'a long answer' });
  const ask = () => app.fetch(post('/v1/chat/completions', { ...chat, stream: true }));
  const first = await ask();
  assert.equal(first.status, 200);
  const refused = await ask();
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), '1');
  await first.text();
  const second = await ask();
  assert.equal(second.status, 200);
  await second.body!.cancel();
  while (services.state.open.size > 0) await new Promise(resolve => setTimeout(resolve, 1));
  const wrong = await app.fetch(post('/v1/chat/completions', '{'));
  assert.equal(wrong.status, 400);
  assert.equal((await ask()).status, 200);
});

test('tokens are limited at each call, whatever calls', async () => {
  const { app, model } = limited({ tokensPerMinute: 100 });
  const ask = (more: object) => app.fetch(post('/v1/chat/completions', { ...chat, ...more }));
  const much = await ask({ max_tokens: 150 });
  assert.equal(much.status, 429);
  assert.equal(much.headers.get('x-should-retry'), 'false');
  assert.equal(much.headers.get('retry-after'), null);
  assert.equal(model.requests.length, 0);
  assert.equal((await ask({ max_tokens: 10 })).status, 200);
  const refused = await ask({ n: 4, max_tokens: 40 });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('x-ratelimit-limit-tokens'), '100');
  const { error } = await refused.json();
  assert.equal(error.code, 'rate_limit_exceeded');
  assert.match(error.message, /tokens_per_minute/);
});
