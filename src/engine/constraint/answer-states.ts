import type { Constraint } from '../../constrain/constraint.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { Sequence } from '../sequence.ts';
import { ConstrainedAnswer } from './constrained-answer.ts';

/** Answers that are remembered, and tokens of all of them. */
const most = 64;
const mostTokens = 2 ** 18;

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

  /** An answer that has begun with these tokens. Throws `invalid_request` where the constraint does not allow them. */
  begin(constraint: Constraint, answered: readonly Token[]): ConstrainedAnswer {
    let nearest: { answer: ConstrainedAnswer; tokens: readonly Token[]; common: number } | undefined;
    for (const ended of answered.length > 0 ? this.#ended : []) {
      if (ended.answer.constraint !== constraint) continue;
      const common = commonTokens(ended.tokens, answered);
      if (common > (nearest?.common ?? 0)) nearest = { ...ended, common };
    }
    if (!nearest) return new ConstrainedAnswer(constraint).goOn(answered, 0);
    const { answer, tokens, common } = nearest;
    return answer.fork(tokens.length - common).goOn(answered, common);
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

function commonTokens(a: readonly Token[], b: readonly Token[]): number {
  let count = 0;
  while (count < a.length && a[count] === b[count]) count++;
  return count;
}
