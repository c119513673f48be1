import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CallOwner, type EngineCall, unmetered } from '../metering/meter.ts';
import { LiveFigures, watched } from './live.ts';

/** Figures whose seconds pass when the test says. */
function figuresOf() {
  let work: (() => void) | undefined;
  const live = new LiveFigures(tick => {
    work = tick;
    return () => {
      work = undefined;
    };
  });
  const pass = (seconds: number) => {
    for (let i = 0; i < seconds; i++) work?.();
  };
  return { live, pass, ticking: () => work !== undefined };
}

const owner: CallOwner = { tenant: 'a', keyId: undefined, requestId: 'r', call: 0, counted: new Set() };
const callOf = (tenant: string): EngineCall => ({
  ...owner,
  tenant,
  model: 'm',
  adapter: undefined,
  promptTokens: 40,
  maxTokens: 100,
});

test('tokens are counted as they come, and the computed ones shared', async () => {
  const { live, pass } = figuresOf();
  const meter = watched(unmetered, live);
  const [a, b] = [await meter.reserve(callOf('a')), await meter.reserve(callOf('b'))];
  for (let n = 1; n <= 20; n++) a.count({ promptTokens: 40, cachedTokens: 0, completionTokens: n });
  b.count({ promptTokens: 40, cachedTokens: 0, completionTokens: 1 });
  b.count({ promptTokens: 40, cachedTokens: 30, completionTokens: 10 });
  assert.equal(live.figures()[0]?.tokensPerSecond, 0, 'this second has not passed');
  pass(1);
  const [ofA, ofB] = live.figures();
  assert.deepEqual([ofA?.tokensPerSecond, ofB?.tokensPerSecond], [2, 1]);
  assert.deepEqual([ofA?.share, ofB?.share], [60 / 80, 20 / 80]);
  pass(10);
  assert.equal(live.figures()[0]?.tokensPerSecond, 0);
});

test('times and shares of the cache are of the last minute', () => {
  const { live, pass } = figuresOf();
  const usage = { promptTokens: 10, cachedTokens: 5, completionTokens: 1 };
  for (let ms = 1; ms <= 100; ms++) live.firstToken('a', ms);
  live.finished({ tenant: 'a', ...usage });
  live.finished(usage);
  assert.deepEqual(live.figures(), [
    { id: 'a', tokensPerSecond: 0, share: 0, firstTokenMs: { p50: 50, p95: 95 }, cachedShare: 0.5 },
  ]);
  pass(50);
  live.firstToken('a', 7);
  live.finished({ tenant: 'a', ...usage, cachedTokens: 0 });
  pass(20);
  assert.deepEqual(live.figures()[0]?.firstTokenMs, { p50: 7, p95: 7 });
  assert.equal(live.figures()[0]?.cachedShare, 0);
});

test('who asks for nothing is forgotten, and then nothing ticks; whoever waits is not', async () => {
  const { live, pass, ticking } = figuresOf();
  assert.ok(!ticking());
  const reservation = await watched(unmetered, live).reserve(callOf('a'));
  pass(100);
  assert.equal(live.figures().length, 1);
  await reservation.settle('complete');
  await reservation.settle('failed');
  pass(61);
  assert.deepEqual([live.figures().length, ticking()], [0, false]);
});
