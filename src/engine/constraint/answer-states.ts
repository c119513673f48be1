import { platform } from '#platform';
import type { Constraint } from '../../constrain/constraint.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { Sequence } from '../sequence.ts';
import { ConstrainedAnswer } from './constrained-answer.ts';

/** Answers that are remembered, and tokens of all of them. */
const most = 64;
const mostTokens = 2 ** 18;
/** Tokens that are replayed at once; more of them take the engine's thread for no longer than so many ms a turn. */
const fewTokens = 256;
const turnMs = 4;
const pieceTokens = 16;

/** Where an answer had got to when its request ended. */
interface Ended {
  readonly answer: ConstrainedAnswer;
  readonly tokens: readonly Token[];
}

/**
 * Where constrained answers have got to whose requests have ended and will be gone on behind: replaying an answer of some
 * thousand tokens takes as long as a small model's next token.
 */
export class AnswerStates {
  /** The oldest first. */
  #ended: Ended[] = [];
  /** Long replays are made one after the other. */
  #replays: Promise<unknown> = Promise.resolve();

  /**
   * An answer that has begun with these tokens, at once where few are to be replayed. Throws, or rejects with, `invalid_request` where
   * the constraint does not allow them.
   */
  begin(constraint: Constraint, answered: readonly Token[]): ConstrainedAnswer | Promise<ConstrainedAnswer> {
    const { answer, from } = this.#nearest(constraint, answered);
    if (answered.length - from <= fewTokens) return answer.goOn(answered, from);
    const replay = this.#replays.then(() => goOnInTurns(answer, answered, from));
    this.#replays = replay.catch(() => {});
    return replay;
  }

  /** One that has begun with some of these tokens, and how many. */
  #nearest(constraint: Constraint, answered: readonly Token[]): { answer: ConstrainedAnswer; from: number } {
    let nearest: { answer: ConstrainedAnswer; tokens: readonly Token[]; common: number } | undefined;
    for (const ended of answered.length > 0 ? this.#ended : []) {
      if (ended.answer.constraint !== constraint) continue;
      const common = commonTokens(ended.tokens, answered);
      if (common > (nearest?.common ?? 0)) nearest = { ...ended, common };
    }
    if (!nearest) return { answer: new ConstrainedAnswer(constraint), from: 0 };
    const { answer, tokens, common } = nearest;
    return { answer: answer.fork(tokens.length - common), from: common };
  }

  /** A sequence that another goes on behind has ended. What it went on behind itself is of no more use. */
  keep({ tokens: all, answerFrom }: Sequence, answer: ConstrainedAnswer): void {
    const tokens = all.slice(answerFrom);
    const isPart = (ended: Ended): boolean =>
      ended.answer.constraint === answer.constraint && commonTokens(ended.tokens, tokens) === ended.tokens.length;
    this.#ended = this.#ended.filter(ended => !isPart(ended));
    this.#ended.push({ answer, tokens });
    let sum = this.#ended.reduce((total, ended) => total + ended.tokens.length, 0);
    while (this.#ended.length > most || sum > mostTokens) sum -= this.#ended.shift()!.tokens.length;
  }
}

async function goOnInTurns(answer: ConstrainedAnswer, answered: readonly Token[], from: number) {
  let until = from;
  for (let turnEnds = performance.now() + turnMs; until < answered.length; ) {
    const next = Math.min(answered.length, until + pieceTokens);
    answer.goOn(answered, until, next);
    until = next;
    if (performance.now() < turnEnds) continue;
    await platform.nextTurn();
    turnEnds = performance.now() + turnMs;
  }
  return answer;
}

function commonTokens(a: readonly Token[], b: readonly Token[]): number {
  let count = 0;
  while (count < a.length && a[count] === b[count]) count++;
  return count;
}
