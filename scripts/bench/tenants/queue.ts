import { BlockPool } from '../../../src/engine/cache/block-pool.ts';
import { PrefixCache } from '../../../src/engine/cache/prefix-cache.ts';
import { defaults } from '../../../src/engine/options.ts';
import type { SequenceId } from '../../../src/engine/request.ts';
import { Scheduler } from '../../../src/engine/scheduler/scheduler.ts';
import { createSequence } from '../../../src/engine/sequence.ts';
import type { Token } from '../../../src/tokenizer/types.ts';
import { type Figure, factFigure, number, quantile } from './figures.ts';

const queued = 10_000;
const steps = 3_000;

/** What the scheduler itself takes for a step while 10,000 requests wait, of one tenant, of a hundred and of as many tenants. */
export async function queue(): Promise<Figure[]> {
  return [1, 100, queued].map(tenants => {
    const times = run(tenants);
    const [p50, p99] = [0.5, 0.99].map(share => quantile(times, share));
    const seen = `p50 ${number(1000 * p50!)} µs, p99 ${number(1000 * p99!)} µs`;
    const work = `10,000 requests queued by ${tenants} ${tenants === 1 ? 'tenant' : 'tenants'}: a step's scheduling`;
    return factFigure(work, seen, '1 ms or less', p99! <= 1);
  });
}

/** Milliseconds of each step: plan, commit, append, and the removal of what has ended, for which another comes. */
function run(tenants: number): number[] {
  const pool = new BlockPool(4096);
  const cache = new PrefixCache(pool);
  const { maxRunning, maxBatchedTokens, prefillChunk } = defaults;
  const limits = { maxRunning, maxBatchedTokens, prefillChunk, maxOutputs: maxRunning, maxWaiting: 2 * queued };
  const scheduler = new Scheduler(limits, pool, cache);
  let count = 0;
  const submit = () => {
    const id = count++ as SequenceId;
    const prompt = Array.from({ length: 20 + ((id * 37) % 200) }, (_, i) => (id * 1000 + i) as Token);
    const limit = prompt.length + 8 + (id % 90);
    scheduler.submit(createSequence({ id, tenant: `t${id % tenants}`, priority: id % 3, limit, prompt }));
  };
  while (count < queued) submit();
  return Array.from({ length: steps }, () => {
    const started = performance.now();
    const { work } = scheduler.plan();
    scheduler.commit(work);
    let ended = 0;
    for (const { sequence } of work) {
      if (sequence.computed < sequence.tokens.length) continue;
      scheduler.append(sequence, 7 as Token);
      if (sequence.tokens.length < sequence.limit) continue;
      scheduler.remove(sequence, true);
      ended++;
    }
    const took = performance.now() - started;
    for (; ended > 0; ended--) submit();
    return took;
  });
}
