import { pageTokens, type SamplingSpec, unsampled } from '../../backend/backend.ts';
import type { Model } from '../../model/types.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { BlockId, BlockPool } from '../cache/block-pool.ts';
import type { ConstrainedAnswer } from '../constraint/constrained-answer.ts';
import { Masks } from '../constraint/masks.ts';
import type { Sequence } from '../sequence.ts';

/** A draft of `length` tokens that is wanted; the sequence has pages for them. */
export interface DraftWanted {
  readonly sequence: Sequence;
  readonly length: number;
  readonly sampling: SamplingSpec;
  readonly constraint: ConstrainedAnswer | undefined;
}

interface Draft extends DraftWanted {
  readonly pages: readonly BlockId[];
  /** The sequence's tokens, and what was drafted behind them. */
  readonly history: { readonly tokens: Token[]; readonly promptTokens: number };
  readonly from: number;
  /** Leading tokens whose keys and values are the draft model's too. */
  computed: number;
}

/**
 * A smaller model of the same vocabulary that drafts. Its cache has pages of the same numbers as the model's own, so
 * what holds for one (who may read it, what is shared, when it is free) holds for both; it catches up on a sequence
 * when it is asked for one. It chooses with the sequence's own sampling, seed and position, so two models that are
 * close choose alike even at random. arXiv:2211.17192
 */
export class DraftModel {
  readonly model: Model;
  readonly #pool: BlockPool;
  readonly #clock: () => number;
  /** Allows the tokens that both models have, where it has more. [maxOutputs, ceil(vocabSize / 32)] */
  readonly #mask: Uint32Array | undefined;
  readonly #masks: Masks;
  /** Leading tokens of a page that are computed, and the allocation of the page for which that holds. */
  readonly #known: Int32Array; // [pages]
  readonly #allocation: Int32Array; // [pages]
  readonly #last = new WeakMap<Sequence, Draft>();

  /** `vocabSize`: of the model that it drafts for; `clock`: milliseconds. */
  constructor(model: Model, pool: BlockPool, vocabSize: number, clock: () => number) {
    this.model = model;
    this.#clock = clock;
    this.#pool = pool;
    this.#mask = model.vocabSize > vocabSize ? onlyFirst(vocabSize, model) : undefined;
    this.#masks = new Masks(model.vocabSize, this.#mask);
    this.#known = new Int32Array(model.pages);
    this.#allocation = new Int32Array(model.pages);
  }

  /** Guesses at what comes next; none for a sequence that it has to catch up on further. `onPass` hears rows and time of a pass. */
  async draft(
    wanted: readonly DraftWanted[],
    onPass: (rows: number, ms: number) => void,
  ): Promise<Map<Sequence, readonly Token[]>> {
    const drafts = wanted.filter(({ length }) => length > 0).map(each => this.#begin(each));
    for (let going: readonly Draft[] = drafts; going.length > 0; ) {
      const started = this.#clock();
      const rows = await this.#pass(going);
      onPass(rows, this.#clock() - started);
      going = going.filter(draft => draft.sequence.state === 'running' && isWanting(draft));
    }
    return new Map(drafts.map(({ sequence, history, from }) => [sequence, history.tokens.slice(from)]));
  }

  /** So many of the last draft's tokens were right: their keys and values stay good. */
  learn(sequence: Sequence, accepted: number): void {
    const last = this.#last.get(sequence);
    if (last) this.#note(last.pages, last.from, Math.min(last.computed, last.from + accepted));
    this.#last.delete(sequence);
  }

  #begin(wanted: DraftWanted): Draft {
    const { tokens, answerFrom, pages } = wanted.sequence;
    const history = { tokens: [...tokens], promptTokens: answerFrom };
    const constraint = wanted.constraint?.fork();
    const draft = { ...wanted, constraint, pages: [...pages], history, from: tokens.length, computed: 0 };
    // The last token goes through the model again: its logits are wanted.
    draft.computed = Math.min(tokens.length - 1, this.#computed(pages));
    this.#last.set(wanted.sequence, draft);
    return draft;
  }

  /** What every draft lacks goes through the model, as far as a batch reaches, and those at their end get a token. */
  async #pass(drafts: readonly Draft[]): Promise<number> {
    const { maxBatchTokens, maxOutputs } = this.model;
    let room = maxBatchTokens;
    const parts: { draft: Draft; start: number; count: number }[] = [];
    const writing = new Set<BlockId>();
    for (const draft of drafts.slice(0, maxOutputs)) {
      const count = Math.min(room, draft.history.tokens.length - draft.computed);
      // Two that lack the same shared page: one computes it now and the other finds it.
      const pages = draft.pages.slice(...pageRange(draft.computed, draft.computed + count));
      if (count === 0 || pages.some(page => writing.has(page))) continue;
      for (const page of pages) writing.add(page);
      parts.push({ draft, start: maxBatchTokens - room, count });
      room -= count;
    }
    const ends = parts.filter(({ draft, count }) => draft.computed + count === draft.history.tokens.length);
    const ids = parts.flatMap(({ draft: { history, computed }, count }) =>
      history.tokens.slice(computed, computed + count),
    );
    const positions = parts.flatMap(({ draft, count }) => Array.from({ length: count }, (_, i) => draft.computed + i));
    await this.model.run({
      tokens: maxBatchTokens - room,
      segments: parts.map(({ draft, start, count }) => {
        return { start, count, position: draft.computed, pages: Int32Array.from(draft.pages) };
      }),
      ids: Int32Array.from(ids),
      positions: Int32Array.from(positions),
      outputs: Int32Array.from(ends, ({ start, count }) => start + count - 1),
      sampling: {
        rows: ends.map(({ draft: { history, sampling: spec } }) => ({
          ...history,
          length: history.tokens.length,
          spec,
        })),
        mask: this.#masks.of(
          ends.map(({ draft: { constraint } }, first) => ({ answer: constraint, draft: [], first })),
          ends.length,
        ),
      },
    });
    for (const { draft, count } of parts) this.#computedMore(draft, count);
    const chosen = ends.length > 0 ? await this.model.tokens(ends.length) : [];
    // A draft that has none ends there.
    for (const [i, { draft }] of ends.entries()) {
      const token = chosen[i] ?? unsampled.leftOut;
      if (token < 0) continue;
      draft.history.tokens.push(token as Token);
      draft.constraint?.accept(token as Token);
    }
    return maxBatchTokens - room;
  }

  #computedMore(draft: Draft, count: number): void {
    const before = draft.computed;
    draft.computed += count;
    this.#note(draft.pages, before, Math.min(draft.computed, draft.from));
  }

  /** Leading tokens in the pages that are computed. */
  #computed(pages: readonly BlockId[]): number {
    let tokens = 0;
    for (const page of pages) {
      const known = this.#allocation[page] === this.#pool.allocation(page) ? (this.#known[page] ?? 0) : 0;
      tokens += known;
      if (known < pageTokens) break;
    }
    return tokens;
  }

  /** Tokens [from, until) are computed, and all before them. */
  #note(pages: readonly BlockId[], from: number, until: number): void {
    if (until <= from) return;
    const [first, end] = pageRange(from, until);
    for (const [i, page] of pages.slice(first, end).entries()) {
      this.#allocation[page] = this.#pool.allocation(page);
      this.#known[page] = Math.min(pageTokens, until - (first + i) * pageTokens);
    }
  }
}

/** Not at its end yet; one that has too much to catch up on gets there by the next steps. */
function isWanting({ history, from, length, computed }: Draft): boolean {
  const drafted = history.tokens.length - from;
  return drafted > 0 && drafted < length && computed === history.tokens.length - 1;
}

/** Pages, as arguments of slice, of the positions [from, until). */
function pageRange(from: number, until: number): [number, number] {
  return [Math.floor(from / pageTokens), Math.ceil(until / pageTokens)];
}

/** For each output a mask of the first `count` tokens. */
function onlyFirst(count: number, { vocabSize, maxOutputs }: Model): Uint32Array {
  const words = Math.ceil(vocabSize / 32);
  const mask = new Uint32Array(words * maxOutputs);
  for (let token = 0; token < count; token++)
    for (let word = token >>> 5; word < mask.length; word += words)
      mask[word] = (mask[word] ?? 0) | (1 << (token & 31));
  return mask;
}
