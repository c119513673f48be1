import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heartbeat } from './heartbeat.ts';
import { Watchdog } from './watchdog.ts';

function setUp(limitMs = 1_000) {
  const state = { busy: true, beats: 0 };
  const dog = new Watchdog(limitMs, () => ({ ...state }));
  /** Looks for so long; returns when it barks. */
  const watch = (ms: number, each = () => {}): number | undefined => {
    for (let at = 0; at < ms; at += 100) {
      each();
      const found = dog.look(100);
      if (found !== undefined) return at;
    }
    return undefined;
  };
  return { state, dog, watch };
}

test('an engine that is busy and gets on is left alone, one that stands still is found', () => {
  const { state, watch } = setUp();
  assert.equal(
    watch(60_000, () => state.beats++),
    undefined,
  );
  const found = watch(60_000)!;
  assert.ok(found >= 1_000 && found <= 1_300, `${found}`);
});

test('an idle engine is never stuck', () => {
  const { state, watch } = setUp();
  state.busy = false;
  assert.equal(watch(60_000), undefined);
});

test('the bound follows the longest silence that was none', () => {
  const { state, watch } = setUp();
  watch(300);
  state.beats++;
  // Silence for 800 ms, then a beat: from now on 3.2 s are bearable.
  assert.equal(watch(900), undefined);
  state.beats++;
  assert.equal(watch(3_000), undefined);
  assert.notEqual(watch(1_000), undefined);
});

test('a process that was suspended for an hour has stuck in nothing', () => {
  const { dog } = setUp();
  dog.look(100);
  assert.equal(dog.look(3_600_000), undefined);
});

test('beats cross threads through shared memory', () => {
  const engine = new Heartbeat();
  const seen = new Heartbeat(engine.shared);
  engine.begin();
  assert.deepEqual([seen.stepping, seen.beats], [true, 1]);
  engine.beat();
  engine.end();
  assert.deepEqual([seen.stepping, seen.beats], [false, 3]);
});
