/** In which order prompts are computed. */

import { goesFirst, isDecoding, isShorter, pending, type Sequence } from '../sequence.ts';
import { before } from './fairness.ts';
import type { Work } from './plan.ts';
import type { TenantQueue } from './tenant-queue.ts';

/** Whether a prompt is short against what is left of another: that one hardly notices it. */
export function isShort(sequence: Sequence, other: Sequence): boolean {
  return 2 * pending(sequence) <= pending(other);
}

/** How far a step's plan is. */
interface Turns {
  /** Those that have had their turn in this step. */
  readonly planned: { has(sequence: Sequence): boolean };
  /** Whether one that waits in the queue may begin. */
  mayBegin(queue: TenantQueue): boolean;
  readonly maxBatchedTokens: number;
}

/** A prompt that is as near to its end as this many whole steps is not put off for another tenant's of its kind. */
const soonSteps = 2;

/** The prompt that goes on or begins next. `going` was served least of the tenants with started ones, `coming` of those that wait. */
export function nextPrompt(
  going: TenantQueue | undefined,
  coming: TenantQueue | undefined,
  turns: Turns,
): Sequence | undefined {
  const next = going && nextOf(going, turns);
  const other = coming && coming !== going ? nextOf(coming, turns) : undefined;
  if (!next || !other) return next ?? other;
  // Among equals, a prompt that is soon finished is finished before another is begun: that serves all sooner.
  const soon = next.state === 'running' && pending(next) <= soonSteps * turns.maxBatchedTokens;
  return before(coming!, going!) && !(soon && !isShort(other, next)) ? other : next;
}

/**
 * The next prompt of one tenant: the oldest of the highest priority, or one that is short against it. The short ones may be a
 * whole step's tokens ahead of what the oldest had itself meanwhile, so it gets at least every other token in the long run.
 */
function nextOf(queue: TenantQueue, { planned, mayBegin, maxBatchedTokens }: Turns): Sequence | undefined {
  const prompts = startedOf(queue).filter(sequence => !planned.has(sequence));
  if (mayBegin(queue) && queue.waiting.size > 0) prompts.push(queue.waiting.oldest()!, queue.waiting.shortest()!);
  if (prompts.length === 0) return undefined;
  const oldest = prompts.reduce((a, b) => (goesFirst(b, a) ? b : a));
  const shortest = prompts.reduce((a, b) => (isShorter(b, a) ? b : a));
  return isShort(shortest, oldest) && oldest.overtaken < maxBatchedTokens ? shortest : oldest;
}

/** Counts who was overtaken in a step of the tenant's; call before its work is committed. */
export function countTurns(queue: TenantQueue, work: readonly Work[]): void {
  const prompts = work.filter(({ sequence }) => !isDecoding(sequence));
  const oldest = queue.waiting.oldest();
  for (const other of oldest ? [...startedOf(queue), oldest] : startedOf(queue)) {
    for (const { sequence, count } of prompts) {
      if (sequence === other) other.overtaken = Math.max(0, other.overtaken - count);
      else if (sequence.priority === other.priority && goesFirst(other, sequence)) other.overtaken += count;
    }
  }
}

function startedOf(queue: TenantQueue): Sequence[] {
  return [...queue.running].filter(sequence => !isDecoding(sequence));
}
