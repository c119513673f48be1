import assert from 'node:assert/strict';
import type { EngineLoop } from '../../src/engine/loop.ts';
import { goesFirst, isScored, pending, type Sequence } from '../../src/engine/sequence.ts';

/**
 * What younger prompts may take from the oldest of their tenant that has begun: watched from outside, between steps. They are never
 * further ahead of what it got meanwhile than two steps, and whoever has a lower priority gets nothing before it. One that is scored
 * is bounded by rows of logits, which nobody else could use.
 */
export class Turns {
  /** Those that ran after the last step: what was computed of them then, and what was left. */
  #before = new Map<Sequence, { from: number; pending: number }>();
  readonly #seen = new WeakSet<Sequence>();
  readonly #behind = new Map<Sequence, number>();
  /** Prompt tokens that went before an older prompt. */
  overtaking = 0;

  check({ scheduler }: EngineLoop, maxBatchedTokens: number): void {
    const ran = [...this.#before.keys(), ...scheduler.running].filter(({ state }) => state === 'running');
    for (const [sequence, before] of this.#before) {
      const went = this.#went(sequence);
      if (isScored(sequence)) continue;
      if (sequence.state !== 'running' || before.pending <= 1 || went < 0 || !this.#isOldest(sequence)) continue;
      const younger = new Set(ran.filter(other => isYounger(other, sequence)));
      const others = [...younger].reduce((sum, other) => sum + this.#promptTokens(other), 0);
      this.overtaking += others;
      const behind = Math.max(0, (this.#behind.get(sequence) ?? 0) + others - went);
      this.#behind.set(sequence, behind);
      // It has its turn first once it is a step behind.
      assert.ok(
        pending(sequence) <= 1 || behind <= 2 * maxBatchedTokens,
        `${behind} tokens went before an older prompt`,
      );
    }
    this.#before = new Map([...scheduler.running].map(each => [each, { from: each.computed, pending: pending(each) }]));
    for (const each of scheduler.running) this.#seen.add(each);
  }

  /** Tokens that were computed of it in this step; less than 0 when it was given up and begun anew. */
  #went(sequence: Sequence): number {
    const before = this.#before.get(sequence);
    if (before) return sequence.computed - before.from;
    // Of one that begins again it is not known where it began.
    return this.#seen.has(sequence) ? 0 : sequence.computed - sequence.cachedTokens!;
  }

  #promptTokens(sequence: Sequence): number {
    return (this.#before.get(sequence)?.pending ?? 2) > 1 ? Math.max(0, this.#went(sequence)) : 0;
  }

  /** Of those that were computing their prompts. */
  #isOldest(sequence: Sequence): boolean {
    return [...this.#before].every(
      ([other, { pending: left }]) => other.tenant !== sequence.tenant || left <= 1 || !goesFirst(other, sequence),
    );
  }
}

function isYounger(other: Sequence, sequence: Sequence): boolean {
  return other.tenant === sequence.tenant && other.priority === sequence.priority && other.id > sequence.id;
}
