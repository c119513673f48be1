/** In which order the prompts of one tenant are computed. */
import type { Lane } from './lane.ts';
import type { Work } from './plan.ts';
import { goesFirst, isShorter, pending, type Sequence } from './sequence.ts';

/** Whether a prompt is short against what is left of another: that one hardly notices it. */
export function isShort(sequence: Sequence, other: Sequence): boolean {
  return 2 * pending(sequence) <= pending(other);
}

/**
 * The prompt of the lane that goes on or begins next: the oldest of the highest priority, or one that is short against it. Those
 * may be `most` tokens ahead of what it had itself meanwhile, so it gets at least every other token in the long run.
 * `planned` have had their turn in this step; `waiting`: new ones may begin.
 */
export function nextOf(
  lane: Lane,
  planned: { has(sequence: Sequence): boolean },
  waiting: boolean,
  most: number,
): Sequence | undefined {
  const prompts = startedOf(lane).filter(sequence => !planned.has(sequence));
  if (waiting && lane.waiting.size > 0) prompts.push(lane.waiting.oldest()!, lane.waiting.shortest()!);
  if (prompts.length === 0) return undefined;
  const oldest = prompts.reduce((a, b) => (goesFirst(b, a) ? b : a));
  const shortest = prompts.reduce((a, b) => (isShorter(b, a) ? b : a));
  return isShort(shortest, oldest) && oldest.overtaken < most ? shortest : oldest;
}

/** Counts who was overtaken in a step of the lane's; call before its work is committed. */
export function countTurns(lane: Lane, work: readonly Work[]): void {
  const prompts = work.filter(({ sequence }) => pending(sequence) > 1);
  const oldest = lane.waiting.oldest();
  for (const other of oldest ? [...startedOf(lane), oldest] : startedOf(lane)) {
    for (const { sequence, count } of prompts) {
      if (sequence === other) other.overtaken = Math.max(0, other.overtaken - count);
      else if (sequence.priority === other.priority && goesFirst(other, sequence)) other.overtaken += count;
    }
  }
}

export function startedOf(lane: Lane): Sequence[] {
  return [...lane.running].filter(sequence => pending(sequence) > 1);
}
