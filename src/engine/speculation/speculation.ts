import type { SamplingSpec } from '../../backend/backend.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { ConstrainedAnswer } from '../constraint/constrained-answer.ts';
import type { Work } from '../scheduler/plan.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';
import type { StepCosts } from '../scheduler/step-costs.ts';
import { pending, type Sequence } from '../sequence.ts';
import { DraftLength } from './draft-length.ts';
import type { DraftModel, DraftWanted } from './draft-model.ts';
import { PromptLookup } from './prompt-lookup.ts';

/** Who guesses for one sequence, and who did last. */
interface Guesses {
  readonly sampling: SamplingSpec;
  readonly constraint: ConstrainedAnswer | undefined;
  readonly lookup: PromptLookup;
  readonly length: DraftLength;
  by: 'lookup' | 'model' | 'constraint';
}

/** Share of drafted tokens that is expected to be right before any was judged. */
const firstRate = 0.7;
/** Passes with more rows caught up on a prompt: their time says nothing about drafting. */
const draftingRows = 8;

/**
 * Guesses at the next tokens of the sequences that decode: what the prompt says where it repeats, otherwise what a draft model
 * says where there is one. What steps cost decides about drafts, and drafts change no output.
 */
export class Speculation {
  readonly #scheduler: Scheduler;
  readonly #model: DraftModel | undefined;
  readonly #costs: StepCosts;
  readonly #guesses = new WeakMap<Sequence, Guesses>();
  /** Of all sequences lately: what a new one begins with. */
  readonly #overall = new DraftLength(firstRate);

  constructor(scheduler: Scheduler, costs: StepCosts, model: DraftModel | undefined) {
    this.#scheduler = scheduler;
    this.#costs = costs;
    this.#model = model;
  }

  begin(sequence: Sequence, sampling: SamplingSpec, constraint?: ConstrainedAnswer): void {
    this.#overall.drift();
    const length = new DraftLength(this.#overall.rate);
    this.#guesses.set(sequence, { sampling, constraint, lookup: new PromptLookup(), length, by: 'lookup' });
  }

  /** The plan with drafts behind its decoding sequences' tokens, and pages for them. */
  async drafted(work: readonly Work[]): Promise<readonly Work[]> {
    const drafts = new Map<Sequence, Work['draft']>();
    const wanted: DraftWanted[] = [];
    let room = this.#scheduler.roomForDrafts(work);
    for (const { sequence } of work) {
      const guesses = this.#guesses.get(sequence);
      const most = Math.min(room, sequence.limit - sequence.tokens.length - 1);
      if (most <= 0 || !guesses || pending(sequence) !== 1) continue;
      const found = this.#find(guesses, sequence.tokens, most);
      const asked = found.length || this.#lengthFor(sequence, guesses, most, work.length);
      const length = this.#scheduler.reserve(sequence, asked);
      if (found.length > 0) drafts.set(sequence, found.slice(0, length));
      else wanted.push({ ...guesses, sequence, length });
      room -= length;
    }
    const modelled = await this.#model?.draft(wanted, (rows, ms) => rows <= draftingRows && this.#costs.pass(ms));
    for (const [sequence, draft] of modelled ?? []) drafts.set(sequence, draft);
    return work.map(each => ({ ...each, draft: drafts.get(each.sequence) ?? [] }));
  }

  /** What must come, or what the prompt says as far as it may come; none: the model is to say. */
  #find(guesses: Guesses, tokens: readonly Token[], most: number): readonly Token[] {
    const { constraint, lookup } = guesses;
    const forced = constraint?.forced(most) ?? [];
    guesses.by = 'constraint';
    if (forced.length > 0) return forced;
    const found = lookup.draft(tokens, most);
    const allowed = constraint && found.length > 0 ? constraint.allowed(found) : found;
    guesses.by = allowed.length > 0 ? 'lookup' : 'model';
    if (allowed.length === 0) lookup.learn(found.length, 0);
    return allowed;
  }

  #lengthFor({ tokens }: Sequence, { length }: Guesses, most: number, sequences: number): number {
    if (!this.#model || tokens.length + most > this.#model.model.trainedContext) return 0;
    return length.next(this.#costs.costs(sequences), most);
  }

  /** What became of a draft. */
  learn(sequence: Sequence, drafted: number, accepted: number): void {
    const guesses = this.#guesses.get(sequence);
    if (drafted === 0 || !guesses) return;
    if (guesses.by === 'lookup') guesses.lookup.learn(drafted, accepted);
    if (guesses.by !== 'model') return;
    this.#model?.learn(sequence, accepted);
    guesses.length.learn(drafted, accepted);
    this.#overall.learn(drafted, accepted);
  }
}
