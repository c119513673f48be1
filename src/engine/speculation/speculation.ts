import { pageTokens, type SamplingSpec } from '../../backend/backend.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { ConstrainedAnswer } from '../constraint/constrained-answer.ts';
import type { Work } from '../scheduler/plan.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import type { DraftCosts, StepCosts } from '../scheduler/step-costs.ts';
import { pending, type Sequence } from '../sequence.ts';
import { bestLength, DraftLength } from './draft-length.ts';
import type { DraftModel, DraftWanted } from './draft-model.ts';
import { nextOf } from './given-draft.ts';
import { PromptLookup } from './prompt-lookup.ts';

/** Who guesses for one sequence, and who did last. */
interface Guesses {
  readonly sampling: SamplingSpec;
  readonly constraint: ConstrainedAnswer | undefined;
  readonly lookup: PromptLookup | undefined;
  readonly length: DraftLength;
  /** What its request guesses. */
  readonly given: readonly Token[];
  by: 'lookup' | 'model' | 'constraint' | 'request';
  /** How often drafts of what must come were right: a model may say those bytes in other tokens. */
  readonly forced: DraftLength;
}

/** Share of drafted tokens that is expected to be right before any was judged. */
const firstRate = 0.7;
/** The same of tokens that must come. */
const forcedRate = 0.9;
/** Passes with more rows caught up on a prompt: their time says nothing about drafting. */
const draftingRows = 8;

/** Who may guess beside the constraints of answers. */
export interface Guessing {
  readonly lookup: boolean;
  readonly model: DraftModel | undefined;
  /** Where the model keeps a state, the tokens of a draft that was not all right go through it again. */
  readonly keepsStates: boolean;
}

/**
 * Guesses at the next tokens of the sequences that decode: what their constraint says must come, what the prompt says where it
 * repeats, otherwise what a draft model says where there is one. What steps cost decides about drafts, and drafts change no output.
 *
 * Bytes that must come are guessed although they could be taken without a row of logits, as a piece of prompt: the model may say
 * them in other tokens, and what it says itself it goes on from best. A row more is all that this costs (a quarter of a token
 * that is decoded alone), their log-probabilities are there, and an answer is what plain decoding makes of it.
 */
export class Speculation {
  readonly #scheduler: Scheduler;
  readonly #lookup: boolean;
  readonly #keepsStates: boolean;
  readonly #model: DraftModel | undefined;
  readonly #costs: StepCosts;
  readonly #guesses = new WeakMap<Sequence, Guesses>();
  /** Of all sequences lately: what a new one begins with. */
  readonly #overall = new DraftLength(firstRate);

  constructor(scheduler: Scheduler, costs: StepCosts, { lookup, model, keepsStates }: Guessing) {
    this.#keepsStates = keepsStates;
    this.#scheduler = scheduler;
    this.#costs = costs;
    this.#lookup = lookup;
    this.#model = model;
  }

  begin(
    sequence: Sequence,
    sampling: SamplingSpec,
    constraint?: ConstrainedAnswer,
    given: readonly Token[] = [],
  ): void {
    if (!this.#lookup && !this.#model && !constraint && given.length === 0) return;
    this.#overall.drift();
    const length = new DraftLength(this.#overall.rate);
    const lookup = this.#lookup ? new PromptLookup() : undefined;
    this.#guesses.set(sequence, {
      sampling,
      constraint,
      lookup,
      length,
      given,
      by: 'lookup',
      forced: new DraftLength(forcedRate),
    });
  }

  /** The plan with drafts behind its decoding sequences' tokens, and pages for them. */
  async drafted(work: readonly Work[]): Promise<readonly Work[]> {
    if (!work.some(({ sequence }) => this.#guesses.has(sequence))) return work;
    const drafts = new Map<Sequence, Work['draft']>();
    const wanted: DraftWanted[] = [];
    const room = this.#scheduler.roomForDrafts(work);
    for (const { sequence, count } of work) {
      const guesses = this.#guesses.get(sequence);
      if (!guesses || pending(sequence) !== count) continue;
      const left = Math.min(sequence.limit - sequence.tokens.length - 1, this.#reach(sequence));
      const most = Math.min(room.guessed, left);
      const given = this.#given(guesses, sequence, most);
      // Others guess once a sequence decodes.
      if (count > 1 && given.length === 0) continue;
      const forced = given.length > 0 ? given : this.#forced(guesses, Math.min(room.forced, left), work.length);
      const found = forced.length > 0 ? forced : this.#lookUp(guesses, sequence.tokens, most);
      if (found.length === 0 && most <= 0) continue;
      const asked = found.length || this.#lengthFor(sequence, guesses, most, work.length);
      const length = this.#scheduler.reserve(sequence, asked);
      if (found.length > 0) drafts.set(sequence, found.slice(0, length));
      else wanted.push({ ...guesses, sequence, length });
      room.guessed -= length;
      room.forced -= length;
    }
    const modelled = await this.#model?.draft(wanted, (rows, ms) => rows <= draftingRows && this.#costs.pass(ms));
    for (const [sequence, draft] of modelled ?? []) drafts.set(sequence, draft);
    return work.map(each => ({ ...each, draft: drafts.get(each.sequence) ?? [] }));
  }

  /** Where a state is kept, at the end of a page, a step must end: no guess reaches beyond. */
  #reach({ tokens }: Sequence): number {
    return this.#keepsStates ? Math.ceil(tokens.length / pageTokens) * pageTokens - tokens.length : Infinity;
  }

  /** What its request says, as far as it may come. */
  #given(guesses: Guesses, sequence: Sequence, most: number): readonly Token[] {
    const { given, constraint } = guesses;
    if (given.length === 0 || most <= 0) return [];
    const next = nextOf(given, sequence, most);
    guesses.by = 'request';
    return constraint ? constraint.allowed(next) : next;
  }

  /** What must come, as much of it as pays beside so many sequences: where many decode, a row takes as long as a token. */
  #forced(guesses: Guesses, most: number, sequences: number): readonly Token[] {
    const { constraint, forced } = guesses;
    const tokens = constraint && most > 0 ? constraint.forced(most) : [];
    if (tokens.length === 0) return tokens;
    guesses.by = 'constraint';
    const costs = { ...this.#costsOf(sequences), pass: 0 };
    return tokens.slice(0, bestLength(forced.rate, costs, tokens.length));
  }

  /** What the prompt says as far as it may come; none: the model is to say. */
  #lookUp(guesses: Guesses, tokens: readonly Token[], most: number): readonly Token[] {
    const { constraint, lookup } = guesses;
    guesses.by = 'model';
    if (!lookup || most <= 0) return [];
    const found = lookup.draft(tokens, most);
    const allowed = constraint && found.length > 0 ? constraint.allowed(found) : found;
    if (allowed.length > 0) guesses.by = 'lookup';
    else lookup.learn(found.length, 0);
    return allowed;
  }

  #lengthFor({ tokens }: Sequence, { length }: Guesses, most: number, sequences: number): number {
    if (!this.#model || tokens.length + most > this.#model.model.trainedContext) return 0;
    return length.next(this.#costsOf(sequences), most);
  }

  #costsOf(sequences: number): DraftCosts {
    const costs = this.#costs.costs(sequences);
    return this.#keepsStates ? { ...costs, again: costs.row } : costs;
  }

  /** What became of a draft. */
  learn(sequence: Sequence, drafted: number, accepted: number): void {
    const guesses = this.#guesses.get(sequence);
    if (drafted === 0 || !guesses) return;
    if (guesses.by === 'lookup') guesses.lookup?.learn(drafted, accepted);
    if (guesses.by === 'constraint') guesses.forced.learn(drafted, accepted);
    if (guesses.by !== 'model') return;
    this.#model?.learn(sequence, accepted);
    guesses.length.learn(drafted, accepted);
    this.#overall.learn(drafted, accepted);
  }
}
