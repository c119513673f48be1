/** Ten times what a server can do, for a few seconds: everyone is answered or refused with a time to come back, and it lives. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { overload, peak } from '../../scripts/bench/overload/load.ts';
import { startRealm } from '../../scripts/bench/tenants/servers.ts';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';

test('ten times the peak for five seconds', { timeout: 120_000 }, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'realm-overload-'));
  const model = join(folder, 'model.gguf');
  writeSynthetic(model, { shape: 'tiny', quant: 'Q8_0' });
  const server = await startRealm({ model, tenants: 1, ends: [], limits: { max_queued: 16 }, threads: 1 });
  t.after(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });
  const target = { url: server.url, key: server.keys[0]!, maxTokens: 200 };
  const most = await peak(target, 24, 3_000);
  const { requests, probes, goodput } = await overload(target, 10 * most, 5_000);
  for (const { status, retryAfter } of requests) {
    assert.ok(status === 200 || status === 429 || status === 503, `${status}`);
    assert.equal(retryAfter !== undefined, status !== 200);
  }
  assert.ok(
    requests.some(({ status }) => status !== 200),
    'it was no overload',
  );
  // Load and server share the processors here: the figures are for scripts/bench/overload.ts.
  assert.ok(goodput > most / 4, `${goodput} of ${most} answers a second`);
  for (const { status } of probes) assert.equal(status, 200);
  assert.equal(await server.metric('realm_sequences_running'), 0);
  assert.equal(server.warnings(), '');
});
