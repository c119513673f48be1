import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Gcra, minuteMs } from './gcra.ts';

const pace = { perMinute: 60 };

test('a minute’s worth may be taken at once, then what is earned', () => {
  const gcra = new Gcra();
  for (let i = 0; i < 60; i++) {
    assert.equal(gcra.wait(1, pace, 5), 0);
    gcra.take(1, pace, 5);
  }
  assert.ok(gcra.wait(1, pace, 5) > 900);
  assert.equal(gcra.wait(1, pace, 1005), 0);
  assert.ok(gcra.wait(2, pace, 1005) > 900);
});

test('what was not used can be taken again, but not what has been earned back meanwhile', () => {
  const gcra = new Gcra();
  const taken = gcra.take(50, pace, 0);
  gcra.giveBack(taken, 40, pace, 100);
  assert.ok(gcra.wait(50, pace, 100) === 0 && gcra.wait(51, pace, 100) > 0);
  gcra.giveBack(taken, 40, pace, 100);
  assert.ok(gcra.wait(51, pace, 100) > 0, 'once');
  const late = gcra.take(50, pace, minuteMs);
  gcra.take(60, pace, 2 * minuteMs);
  gcra.giveBack(late, 50, pace, 2 * minuteMs);
  assert.ok(gcra.wait(1, pace, 2 * minuteMs) > 0, 'nothing is saved up');
});

/** Takes and ends of them at times of a model's clock. */
const step = fc.record({
  after: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40_000 })),
  units: fc.integer({ min: 1, max: 60 }),
  used: fc.double({ min: 0, max: 1, noNaN: true }),
  end: fc.nat(8),
  take: fc.boolean(),
});

test('over any window no more is used than a minute’s worth and what is earned in it', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 1000 }), (steps, perMinute) => {
      const gcra = new Gcra();
      const calls: { at: number; units: number; used: number; taken: ReturnType<Gcra['take']> | undefined }[] = [];
      let now = 0;
      for (const { after, units, used, end, take } of steps) {
        now += after;
        const open = calls.filter(({ taken }) => taken);
        const ended = open[end % (open.length || 1)];
        if (take && gcra.wait(units, { perMinute }, now) === 0)
          calls.push({ at: now, units, used: Math.floor(used * units), taken: gcra.take(units, { perMinute }, now) });
        else if (!take && ended) {
          gcra.giveBack(ended.taken!, ended.units - ended.used, { perMinute }, now);
          ended.taken = undefined;
        }
      }
      // What is still open may use all.
      const uses = calls.map(({ at, units, used, taken }) => ({ at, units: taken ? units : used }));
      for (let first = 0; first < uses.length; first++) {
        let sum = 0;
        for (let last = first; last < uses.length; last++) {
          sum += uses[last]!.units;
          const window = uses[last]!.at - uses[first]!.at;
          const most = perMinute + (perMinute * window) / minuteMs;
          assert.ok(sum <= most + 0.01, `${sum} of ${most} in ${window} ms`);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('whoever asks without end gets all that is earned', () => {
  const gcra = new Gcra();
  let used = 0;
  // Each call takes ten times what it uses, and ends after two seconds.
  const open: { until: number; taken: ReturnType<Gcra['take']> }[] = [];
  for (let now = 0; now <= 10 * minuteMs; now += 100) {
    for (const each of open.splice(0)) {
      if (each.until > now) open.push(each);
      else gcra.giveBack(each.taken, 9, pace, now);
    }
    if (gcra.wait(10, pace, now) > 0) continue;
    open.push({ until: now + 2000, taken: gcra.take(10, pace, now) });
    used++;
  }
  assert.ok(used > 0.9 * (60 + 600) && used <= 661, `${used}`);
});
