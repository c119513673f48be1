import type { RealmError } from '../errors.ts';
import { noUsage } from '../llm/usage.ts';
import type { CallOwner } from '../metering/meter.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';
import type { Asking, Usage } from './exchange.ts';

/**
 * A part of a request that is answered like a request of its own, as a step of a pipeline is. It may fail or be ended
 * while the others go on, and keeps its models loaded no longer than itself; its calls are the whole's.
 */
export class ExchangePart implements Asking {
  readonly id: string;
  readonly signal: AbortSignal;
  readonly span: TraceSpan | undefined;
  readonly held: Asking['held'] = new Map();
  model: string | undefined;
  session: object | undefined;
  usage: () => Usage = () => noUsage;
  readonly #whole: Asking;
  readonly #abort = new AbortController();
  readonly #atEnd: (() => void)[] = [];
  #ended = false;

  /** `signal`: ends the part, beside what ends the whole; its reason is what the part fails with. */
  constructor(whole: Asking, { id, signal, span }: { id: string; signal: AbortSignal; span?: TraceSpan | undefined }) {
    this.#whole = whole;
    this.id = id;
    this.span = span;
    this.signal = AbortSignal.any([whole.signal, signal, this.#abort.signal]);
  }

  cancel(reason: RealmError): void {
    this.#abort.abort(reason);
  }

  get keyId(): string | undefined {
    return this.#whole.keyId;
  }

  programUsed(fuel: number): void {
    this.#whole.programUsed(fuel);
  }

  nextCall(): CallOwner {
    return this.#whole.nextCall();
  }

  noteSubmitted(): void {
    this.#whole.noteSubmitted();
  }

  token(): void {
    this.#whole.token();
  }

  onEnd(then: () => void): void {
    if (this.#ended) then();
    else this.#atEnd.push(then);
  }

  /** Gives back its models. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const then of this.#atEnd) then();
    this.held.clear();
  }
}
