import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RealmError } from '../../errors.ts';
import { type Owner, type Work, WorkTurns } from './work-turns.ts';

const work = (owner: Owner, bytes = 1): Work => ({ owner, bytes });
const a = { id: 'a' };
const b = { id: 'b' };

/** Serves whoever's turn it is, `ms` a turn; whose turns they were. */
function serve(turns: WorkTurns<Work>, ms: number, count: number): string {
  return Array.from({ length: count }, () => {
    const next = turns.next();
    if (!next) return '-';
    turns.charge(next.owner, ms);
    return next.owner.id;
  }).join('');
}

describe('turns of work', () => {
  it('go to tenants by turns, whoever came first and however many one has', () => {
    const turns = new WorkTurns<Work>('long texts');
    for (let i = 0; i < 10; i++) turns.add(work(a));
    turns.add(work(b));
    assert.equal(serve(turns, 20, 6), 'ababab');
  });

  it('are shared by weight', () => {
    const turns = new WorkTurns<Work>('long texts');
    turns.add(work({ ...a, weight: 3 }));
    turns.add(work(b));
    assert.equal([...serve(turns, 20, 400)].filter(id => id === 'a').length, 300);
  });

  it("count a tenant's short work too", () => {
    const turns = new WorkTurns<Work>('long texts');
    turns.charge(a, 100);
    turns.add(work(b));
    turns.add(work(a));
    assert.equal(serve(turns, 20, 7), 'bbbbbba');
  });

  it('do not wait for ever for what short work has cost', () => {
    const turns = new WorkTurns<Work>('long texts');
    turns.charge(a, 1_000_000);
    turns.add(work(b));
    turns.add(work(a));
    assert.match(serve(turns, 20, 100), /a/);
  });

  it('earn nothing by absence', () => {
    const turns = new WorkTurns<Work>('long texts');
    turns.add(work(a));
    serve(turns, 20, 100);
    turns.add(work(b));
    assert.match(serve(turns, 20, 4), /^(ab|ba){2}$/);
  });

  it("keep each tenant's own in order, without what was removed", () => {
    const turns = new WorkTurns<Work>('long texts');
    const [one, two, three] = [work(a), work(a), work(a)];
    for (const each of [one, two, three]) turns.add(each);
    turns.remove(two);
    turns.remove(two);
    assert.equal(turns.next(), one);
    turns.remove(one);
    assert.equal(turns.next(), three);
    turns.remove(three);
    assert.equal(turns.next(), undefined);
    assert.deepEqual(turns.values(), []);
  });

  it('are refused to a tenant with too many, or too much, waiting; a single one may be as large as it wants', () => {
    const full = (error: unknown) =>
      error instanceof RealmError && error.code === 'queue_full' && error.retryAfter === 1;
    const turns = new WorkTurns<Work>('long texts');
    const few = { id: 'few', maxQueued: 2 };
    turns.add(work(few));
    turns.add(work(few));
    assert.throws(() => turns.add(work(few)), full);
    turns.add(work(a, 1 << 30));
    assert.throws(() => turns.add(work(a)), full);
    turns.add(work(b));
  });
});
