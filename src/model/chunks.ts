import { type BatchLayout, pageTokens, type Segment } from '../backend/backend.ts';

/**
 * Attention in chunks of positions: a token sees those of its own chunk, up to itself (Llama 4). A chunk begins with a page, so its
 * pages are those of a sequence of its own, whose tokens attend as all do.
 */
export class Chunks {
  readonly #tokens: number;
  #last: { readonly batch: BatchLayout; readonly layout: BatchLayout } | undefined;

  /** @param tokens a multiple of a page's */
  constructor(tokens: number) {
    this.#tokens = tokens;
  }

  /** The batch as its tokens see it: the same for all layers. */
  of(batch: BatchLayout): BatchLayout {
    if (this.#last?.batch !== batch) this.#last = { batch, layout: this.#cut(batch) };
    return this.#last.layout;
  }

  #cut(batch: BatchLayout): BatchLayout {
    if (batch.segments.every(({ position, count }) => position + count <= this.#tokens)) return batch;
    return { tokens: batch.tokens, segments: batch.segments.flatMap(segment => [...this.#pieces(segment)]) };
  }

  *#pieces({ start, count, position, pages }: Segment): Generator<Segment> {
    for (let done = 0; done < count; ) {
      const chunk = Math.floor((position + done) / this.#tokens);
      const at = position + done - chunk * this.#tokens;
      const tokens = Math.min(count - done, this.#tokens - at);
      const first = (chunk * this.#tokens) / pageTokens;
      const own = pages.subarray(first, first + Math.ceil((at + tokens) / pageTokens));
      yield { start: start + done, count: tokens, position: at, pages: own };
      done += tokens;
    }
  }
}
