/** A scheduler with a pool of its own, sequences for it, and steps of a model. */
import type { Token } from '../../../tokenizer/types.ts';
import { BlockPool } from '../../cache/block-pool.ts';
import { PrefixCache } from '../../cache/prefix-cache.ts';
import type { SequenceId } from '../../request.ts';
import { createSequence, type Sequence } from '../../sequence.ts';
import { Scheduler } from '../scheduler.ts';
import type { SchedulerOptions } from '../scheduler-options.ts';

const roomy: SchedulerOptions = {
  maxRunning: 8,
  maxBatchedTokens: 64,
  prefillChunk: 32,
  maxOutputs: 8,
  maxWaiting: 20_000,
};

export function setUp(options: Partial<SchedulerOptions> = {}, pages = 64) {
  const pool = new BlockPool(pages);
  const cache = new PrefixCache(pool);
  return { pool, cache, scheduler: new Scheduler({ ...roomy, ...options }, pool, cache) };
}

let ids = 0;

export function sequence(tenant: string, length: number, priority = 0): Sequence {
  const id = ids++ as SequenceId;
  const prompt = Array.from({ length }, (_, i) => (id * 1000 + i) as Token);
  return createSequence({ id, tenant, priority, limit: 10_000, prompt });
}

/** One step of a model that always says 7; returns what ran. */
export function step(scheduler: Scheduler): { sequence: Sequence; count: number }[] {
  const { work } = scheduler.plan();
  scheduler.commit(work);
  for (const { sequence: each } of work) {
    if (each.computed === each.tokens.length) scheduler.append(each, 7 as Token);
  }
  return work.map(({ sequence, count }) => ({ sequence, count }));
}
