import type { Preempt, SampleRow } from '../backend/backend.ts';
import type { AdaptedSegment, Batch, Model } from '../model/types.ts';
import type { Token } from '../tokenizer/types.ts';
import type { ActiveRequests } from './active-requests.ts';
import { Masks } from './constraint/masks.ts';
import type { Plan, Work } from './scheduler/plan.ts';
import { isScored, type Sequence } from './sequence.ts';

/** What a batch has computed. */
export interface BatchOutput {
  readonly work: readonly Work[];
  /** The part of the work that was done: 1, or less where it was preempted; then there is nothing else. */
  readonly fraction: number;
  readonly scored: readonly Scored[];
  readonly sampled: readonly Sampled[];
  readonly embedded: readonly Embedded[];
}

/** Logits of a prompt's tokens from `position` on, of a text that is scored. */
export interface Scored {
  readonly sequence: Sequence;
  readonly position: number;
  /** [tokens, vocabSize] */
  readonly logits: Float32Array;
}

/** What was chosen for a sequence: the tokens of its draft that are right, and the one behind them. */
export interface Sampled {
  readonly sequence: Sequence;
  /** The last may be one of {@link unsampled}. */
  readonly tokens: Int32Array;
  /** Length of its draft. */
  readonly drafted: number;
  /** The logits that each token was chosen from, where they or log-probabilities are wanted. [tokens.length, vocabSize] */
  readonly logits: Float32Array | undefined;
}

/** Hidden states of tokens from `position` on, of a text that is embedded. */
export interface Embedded {
  readonly sequence: Sequence;
  readonly position: number;
  /** [tokens, width] */
  readonly states: Float32Array;
}

/** Rows of a batch's outputs, or of its tokens, that are a sequence's. */
interface Rows {
  readonly sequence: Sequence;
  readonly first: number;
  readonly count: number;
}

/** Rows from which tokens are chosen: behind the sequence, and behind each token of its draft. */
interface Ready extends Rows {
  readonly draft: readonly Token[];
}

/** What is wanted of a batch. */
interface Wanted {
  readonly ready: Ready[];
  readonly scored: (Rows & { readonly position: number })[];
  readonly embedded: Rows[];
}

const nothing = { scored: [], sampled: [], embedded: [] };
const noLogits: ReadonlyMap<Rows, Float32Array> = new Map();

/** Turns a plan into one batch, runs it and fetches what it has computed. */
export class Runner {
  readonly #model: Model;
  readonly #requests: ActiveRequests;
  readonly #masks: Masks;
  readonly #ids: Int32Array; // [maxBatchTokens]
  readonly #positions: Int32Array; // [maxBatchTokens]
  /** Rows on their way from the backend; they grow. */
  #logitRows = new Float32Array(0);
  #stateRows = new Float32Array(0);

  constructor(model: Model, requests: ActiveRequests) {
    this.#model = model;
    this.#requests = requests;
    this.#masks = new Masks(model.vocabSize);
    this.#ids = new Int32Array(model.maxBatchTokens);
    this.#positions = new Int32Array(model.maxBatchTokens);
  }

  /** What a plan wants copied before its batch. */
  copy({ copies, slotCopies }: Pick<Plan, 'copies' | 'slotCopies'>): void {
    if (slotCopies.length > 0) this.#model.copySlots(slotCopies);
    if (copies.length > 0) this.#model.copyPages(Int32Array.from(copies.flatMap(({ from, to }) => [from, to])));
  }

  /** `preempt` is asked on the way whether to stop; what is computed then is worth nothing. */
  async run(work: readonly Work[], preempt?: Preempt): Promise<BatchOutput> {
    const wanted: Wanted = { ready: [], scored: [], embedded: [] };
    const batch = this.#batch(work, wanted);
    const outcome = await this.#model.run(batch, preempt);
    if (outcome.kind === 'preempted') return { ...nothing, work, fraction: outcome.fraction };
    const { ready, scored, embedded } = wanted;
    const sampled = ready.length > 0 ? await this.#sampled(ready) : [];
    const logits = await this.#logits([...sampled.filter(each => this.#wantsLogits(each)), ...scored]);
    return {
      work,
      fraction: 1,
      scored: scored.map(each => ({ ...each, logits: logits.get(each)! })),
      sampled: sampled.map(each => ({ ...each, logits: logits.get(each) })),
      embedded: embedded.length > 0 ? await this.#embedded(embedded) : [],
    };
  }

  #batch(work: readonly Work[], { ready, scored, embedded }: Wanted): Batch {
    const segments: AdaptedSegment[] = [];
    const outputs: number[] = [];
    const rows: SampleRow[] = [];
    const unsaid: { sequence: Sequence; start: number; position: number; count: number }[] = [];
    let tokens = 0;
    for (const { sequence, count, draft } of byAdapter(work)) {
      segments.push(this.#segment(sequence, tokens, count, draft));
      if (isScored(sequence)) unsaid.push({ sequence, start: tokens, ...unsaidRows(sequence, count) });
      tokens += count;
      if (sequence.states) embedded.push({ sequence, first: tokens - count, count });
      else if (sequence.computed + count === sequence.tokens.length) {
        ready.push({ sequence, first: outputs.length, count: 1 + draft.length, draft });
        for (let row = tokens - 1; row < tokens + draft.length; row++) outputs.push(row);
        this.#sampling(sequence, draft, rows);
      }
      tokens += draft.length;
    }
    // Rows that are only scored lie behind those that tokens are chosen from.
    for (const { sequence, start, position, count } of unsaid) {
      if (count > 0) scored.push({ sequence, position, first: outputs.length, count });
      for (let i = 0; i < count; i++) outputs.push(start + position - sequence.computed + i);
    }
    return {
      tokens,
      segments,
      ids: this.#ids.subarray(0, tokens),
      positions: this.#positions.subarray(0, tokens),
      outputs: Int32Array.from(outputs),
      sampling: { rows, mask: this.#mask(ready, rows.length) },
      states: embedded.length > 0,
    };
  }

  #mask(ready: readonly Ready[], count: number): Uint32Array | undefined {
    const rows = ready.map(({ sequence, draft, first }) => {
      const { constraint, stopTokens } = this.#requests.get(sequence.id)!;
      const early = this.#early(sequence);
      const banned = early > 0 ? { tokens: stopTokens, rows: early } : undefined;
      return { answer: constraint, draft, first, only: this.#firstMask(sequence), banned };
    });
    return this.#masks.of(rows, count);
  }

  /** What may come next, where its request has said it. */
  #firstMask({ id, tokens, promptTokens }: Sequence): Uint32Array | undefined {
    return tokens.length === promptTokens ? this.#requests.get(id)!.firstMask : undefined;
  }

  /** Tokens of its answer that may not end it yet. */
  #early({ id, tokens, answerFrom }: Sequence): number {
    return this.#requests.get(id)!.minTokens - (tokens.length - answerFrom);
  }

  #segment(sequence: Sequence, start: number, known: number, draft: readonly Token[]): AdaptedSegment {
    const position = sequence.computed;
    const count = known + draft.length;
    this.#ids.set(sequence.tokens.slice(position, position + known), start);
    this.#ids.set(draft, start + known);
    for (let i = 0; i < count; i++) this.#positions[start + i] = position + i;
    const { slots, adapter } = sequence;
    const states = slots && { slot: slots.current, nextSlot: slots.next };
    return { start, count, position, pages: Int32Array.from(sequence.pages), ...states, adapter: adapter?.adapter };
  }

  /**
   * A row behind the sequence's tokens, and one behind each of the draft's, with the history that the guess implies: while it is
   * right, those are the rows that plain decoding would compute, to the bit, so drafts change no output.
   */
  #sampling(sequence: Sequence, draft: readonly Token[], rows: SampleRow[]): void {
    const { tokens, answerFrom } = sequence;
    const { sampling: spec, constraint } = this.#requests.get(sequence.id)!;
    const early = this.#early(sequence);
    const first = this.#firstMask(sequence);
    const history = draft.length > 0 ? [...tokens, ...draft] : tokens;
    for (let i = 0; i <= draft.length; i++) {
      const unmasked = !constraint && i >= early && !(i === 0 && first);
      const length = tokens.length + i;
      rows.push({ spec, tokens: history, length, promptTokens: answerFrom, guessed: i > 0, unmasked });
    }
  }

  async #sampled(ready: readonly Ready[]): Promise<(Rows & Omit<Sampled, 'logits'>)[]> {
    const tokens = await this.#model.tokens(ready.reduce((sum, { count }) => sum + count, 0));
    return ready.map(({ sequence, first, draft }) => {
      let right = 0;
      while (right < draft.length && tokens[first + right] === draft[right]) right++;
      const chosen = tokens.subarray(first, first + right + 1);
      return { sequence, first, count: chosen.length, tokens: chosen, drafted: draft.length };
    });
  }

  #wantsLogits({ sequence }: Rows): boolean {
    const request = this.#requests.get(sequence.id);
    return request !== undefined && (request.topLogprobs !== undefined || request.logits);
  }

  async #logits(wanted: readonly Rows[]): Promise<ReadonlyMap<Rows, Float32Array>> {
    if (wanted.length === 0) return noLogits;
    const { vocabSize } = this.#model;
    this.#logitRows = atLeast(this.#logitRows, wanted, vocabSize);
    await this.#model.logits(numbersOf(wanted), this.#logitRows);
    return new Map(partsOf(wanted, this.#logitRows, vocabSize));
  }

  async #embedded(rows: readonly Rows[]): Promise<Embedded[]> {
    const { width } = this.#model;
    this.#stateRows = atLeast(this.#stateRows, rows, width);
    await this.#model.states(numbersOf(rows), this.#stateRows);
    return partsOf(rows, this.#stateRows, width).map(([{ sequence }, states]) => ({
      sequence,
      position: sequence.computed,
      states,
    }));
  }
}

/** Of a prompt's piece the rows that say how likely its next tokens are, as far as they have not said it before a preemption. */
function unsaidRows(
  { computed, rowsFrom, promptTokens }: Sequence,
  count: number,
): { position: number; count: number } {
  const position = Math.max(computed, rowsFrom);
  return { position, count: Math.max(0, Math.min(computed + count, promptTokens - 1) - position) };
}

/** Room for the rows: the same as before where they fit. */
function atLeast(room: Float32Array<ArrayBuffer>, rows: readonly Rows[], columns: number): Float32Array<ArrayBuffer> {
  const size = columns * rows.reduce((sum, { count }) => sum + count, 0);
  return room.length < size ? new Float32Array(size) : room;
}

const numbersOf = (rows: readonly Rows[]): Int32Array =>
  Int32Array.from(rows.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i)));

/** What lies behind each other. */
function partsOf(rows: readonly Rows[], values: Float32Array, columns: number): [Rows, Float32Array][] {
  let at = 0;
  return rows.map(each => {
    const start = at * columns;
    at += each.count;
    return [each, values.subarray(start, at * columns)];
  });
}

/** Sequences with the same adapter side by side: they are multiplied with it together. */
function byAdapter(work: readonly Work[]): readonly Work[] {
  if (!work.some(({ sequence }) => sequence.adapter)) return work;
  const groups = Map.groupBy(work, ({ sequence }) => sequence.adapter);
  return [...groups.values()].flat();
}
