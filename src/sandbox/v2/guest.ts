import { GuestError } from '../abi.ts';
import type { GuestMemory } from '../guest-memory.ts';
import type { ModelId } from '../model-id.ts';
import { Arguments } from './arguments.ts';
import { Handles } from './handles.ts';
import { type HeldLimits, MAX_CONSTRAINTS, MAX_HELD_TOKENS, MAX_PARSERS } from './limits.ts';
import type { Answers, FromSequences, Question, ToSequences } from './messages.ts';
import type { Parser } from './parser.ts';
import { RandomBytes } from './random.ts';
import { Refusal } from './refusal.ts';
import type { HeldConstraint, Sequence, SequenceModel } from './sequence.ts';
import type { Ticket } from './ticket.ts';

/** What the place where a program runs does for its calls. */
export interface CallPlace {
  readonly run: number;
  /** 0: none was said. */
  readonly seed: bigint;
  readonly limits: HeldLimits;
  /** Undefined before the program has one. */
  memory(): GuestMemory | undefined;
  /** Behind all that was streamed before. */
  post(message: FromSequences): void;
  stream(bytes: Uint8Array): void;
  /** Resolves when whoever reads the answer is not far behind. */
  readerCaughtUp(): Promise<void>;
  /** Resolves when it is the program's turn to compute; undefined: it is. */
  myTurn(): Promise<void> | undefined;
  /** Throws when the run is over. */
  checkAlive(): void;
  /** Whether the last thing that the host did for the program failed. */
  noteHost(failed: boolean): void;
  fuelLeft(): number;
  /** Takes fuel. */
  spend(units: number): void;
}

/** What it costs to call the host, in fuel. */
const CALL_FUEL = 50;

/** All that one run of ABI v2 holds, where the program runs. */
export class SequenceGuest {
  readonly place: CallPlace;
  readonly limits: HeldLimits;
  readonly arguments: Arguments;
  readonly sequences: Handles<Sequence>;
  readonly constraints = new Handles<HeldConstraint>('constraint', MAX_CONSTRAINTS);
  readonly tickets: Handles<Ticket>;
  readonly parsers = new Handles<Parser>('parser', MAX_PARSERS);
  readonly #models = new Map<number, SequenceModel & { readonly info: string }>();
  readonly left: { hostCalls: number; outputBytes: number; forks: number };
  readonly random: RandomBytes;
  /** The answer of the last call that should not be made again where only its room was too small. */
  #kept: { readonly key: string; readonly answer: unknown } | undefined;
  /** Of the last refusal. */
  error = '';
  /** Number of the next sequence. */
  #ordinal = 0;
  #asked: { resolve(value: unknown): void; reject(error: Error): void } | undefined;
  #wake: (() => void) | undefined;

  constructor(place: CallPlace) {
    this.place = place;
    this.limits = place.limits;
    const { sequences, tickets, hostCalls, outputBytes, forks } = this.limits;
    this.sequences = new Handles('sequence', sequences);
    this.tickets = new Handles('ticket', tickets);
    this.left = { hostCalls, outputBytes, forks };
    this.random = new RandomBytes(place.seed);
    this.arguments = new Arguments(
      () => place.memory(),
      units => place.spend(units),
    );
  }

  /** Counts a call; throws -11 when there have been too many. */
  enter(): void {
    this.place.checkAlive();
    this.place.spend(CALL_FUEL);
    if (this.left.hostCalls === 0) {
      throw new Refusal(GuestError.limit, `a run makes at most ${this.limits.hostCalls} host calls`);
    }
    this.left.hostCalls--;
  }

  /** The code of a refusal; what is none is thrown again. */
  refused(error: unknown): number {
    if (!(error instanceof Refusal)) throw error;
    this.error = error.message;
    return error.code;
  }

  /** Asks the server; the program is suspended meanwhile. */
  async ask<Q extends Question>(question: Q): Promise<Answers[Q['ask']]> {
    await this.place.readerCaughtUp();
    this.place.checkAlive();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#asked = { resolve, reject };
    this.place.post({ kind: 'ask', run: this.place.run, question });
    try {
      return (await promise) as Answers[Q['ask']];
    } finally {
      this.#asked = undefined;
    }
  }

  async model(id: number): Promise<SequenceModel & { readonly info: string }> {
    const modelId = (id >>> 0) as ModelId;
    let model = this.#models.get(modelId);
    if (!model) {
      const info = await this.ask({ ask: 'model', modelId });
      model = { id: modelId, vocabulary: (JSON.parse(info) as { vocab_size: number }).vocab_size, info };
      this.#models.set(modelId, model);
    }
    return model;
  }

  /** What `ask` answers, which is asked once as long as the same is wanted in a row. */
  async once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    if (this.#kept?.key !== key) this.#kept = { key, answer: await ask() };
    return this.#kept.answer as T;
  }

  forget(): void {
    this.#kept = undefined;
  }

  nextOrdinal(): number {
    return this.#ordinal++;
  }

  /** Throws -11 when that many tokens more are too many. */
  checkTokens(count: number): void {
    let held = count;
    for (const { length } of this.sequences.values()) held += length;
    for (const { tokens } of this.parsers.values()) held += tokens.length;
    if (held <= MAX_HELD_TOKENS) return;
    throw new Refusal(GuestError.limit, `a run holds at most ${MAX_HELD_TOKENS} tokens in all of its sequences`);
  }

  /** Counts what is said; throws -11 when it is too much. */
  say(bytes: number): void {
    if (bytes > this.left.outputBytes) {
      throw new Refusal(GuestError.limit, `a run says at most ${this.limits.outputBytes} bytes`);
    }
    this.left.outputBytes -= bytes;
  }

  /** Resolves with the next result of a ticket. */
  async nextResult(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    this.place.checkAlive();
  }

  receive(message: ToSequences): void {
    switch (message.kind) {
      case 'answer':
        this.#asked?.resolve(message.value);
        break;
      case 'refused':
        this.place.noteHost(true);
        this.#asked?.reject(new Refusal(message.code, message.message));
        break;
      case 'submitted':
        this.tickets.find(message.ticket)?.complete(message.index, message.record, message.message);
        this.#wake?.();
        break;
      default:
        message satisfies never;
    }
  }

  /** Whatever the program waits for fails. */
  kill(fault: Error): void {
    this.#asked?.reject(fault);
    this.#wake?.();
  }

  /** How much the run holds. */
  get counts() {
    const { sequences, constraints, tickets, parsers } = this;
    return { sequences: sequences.size, constraints: constraints.size, tickets: tickets.size, parsers: parsers.size };
  }

  /** The run is over. */
  close(): void {
    for (const each of [this.sequences, this.constraints, this.tickets, this.parsers]) each.clear();
  }
}
