import type { Sampling } from '../../engine/request.ts';
import { GuestError } from '../abi.ts';
import type { ModelId } from '../model-id.ts';
import { Refusal } from './refusal.ts';
import { TokenList } from './token-list.ts';

export interface SequenceModel {
  readonly id: ModelId;
  readonly vocabulary: number;
}

/** A compiled constraint, which the server has under this number; kept as long as a handle or a sequence has it. */
export class HeldConstraint {
  readonly id: number;
  readonly model: ModelId;
  readonly #drop: (id: number) => void;
  #holders = 1;

  constructor(id: number, model: ModelId, drop: (id: number) => void) {
    this.id = id;
    this.model = model;
    this.#drop = drop;
  }

  hold(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    if (--this.#holders === 0) this.#drop(this.id);
  }
}

/** What a program holds by a sequence's handle: tokens, and how they go on. */
export class Sequence {
  readonly model: SequenceModel;
  /** Its place among all of the run's, which decides its seed. */
  readonly ordinal: number;
  readonly tokens: TokenList;
  /** The last so many tokens belong to the answer. */
  answered = 0;
  adapter: string | undefined;
  sampling: Sampling = {};
  bias: ReadonlyMap<number, number> = new Map();
  /** Of the next token alone; gone as soon as the sequence changes. */
  nextBias: ReadonlyMap<number, number> | undefined;
  mask: Uint32Array | undefined;
  constraint: HeldConstraint | undefined;
  /** The open ticket that runs it on. */
  ticket: number | undefined;
  /** While a ticket of it was open. */
  freed = false;

  constructor(model: SequenceModel, ordinal: number, tokens = new TokenList()) {
    this.model = model;
    this.ordinal = ordinal;
    this.tokens = tokens;
  }

  get length(): number {
    return this.tokens.length;
  }

  /** Throws -7 while a ticket of it is open. */
  checkIdle(): void {
    if (this.ticket === undefined) return;
    throw new Refusal(GuestError.busy, `the sequence is busy with ticket ${this.ticket}: wait for it first`);
  }

  /** Text of a prompt: an answer, if there was one, is part of it from now on. */
  appendPrompt(tokens: Uint32Array): void {
    this.#append(tokens);
    this.answered = 0;
  }

  /** Forced tokens: of the answer, where that has begun. */
  push(tokens: Uint32Array): void {
    this.#append(tokens);
    if (this.constraint || this.answered > 0) this.answered += tokens.length;
  }

  appendAnswer(tokens: Uint32Array): void {
    this.#append(tokens);
    this.answered += tokens.length;
  }

  truncate(length: number): void {
    if (length >= this.length) return;
    this.answered = Math.max(0, this.answered - (this.length - length));
    this.tokens.truncate(length);
    this.#forgetNext();
  }

  constrain(constraint: HeldConstraint | undefined): void {
    constraint?.hold();
    this.constraint?.release();
    this.constraint = constraint;
    if (constraint) this.answered = 0;
  }

  fork(ordinal: number): Sequence {
    const fork = new Sequence(this.model, ordinal, this.tokens.copy());
    fork.answered = this.answered;
    fork.adapter = this.adapter;
    fork.sampling = this.sampling;
    fork.bias = this.bias;
    fork.nextBias = this.nextBias;
    fork.mask = this.mask;
    fork.constraint = this.constraint?.hold();
    return fork;
  }

  /** To be called once it is freed. */
  release(): void {
    this.tokens.release();
    this.constraint?.release();
    this.constraint = undefined;
  }

  #append(tokens: Uint32Array): void {
    this.tokens.append(tokens);
    this.#forgetNext();
  }

  #forgetNext(): void {
    this.nextBias = undefined;
    this.mask = undefined;
  }
}
