import type { EngineUsage } from '../../engine/request.ts';
import { listOf } from '../../platform/list-of.ts';

/** What a call is charged for where somebody has paid for a part of its prompt. */
export interface Charge {
  /** Of the prompt. */
  readonly promptTokens: number;
  /** The meter has let the call in. */
  granted(): void;
  /** Of what it has used until now. */
  of(usage: EngineUsage): EngineUsage;
  /** However it ended, once: what it owes though it has used nothing. */
  end(): EngineUsage | undefined;
}

/** Tokens that follow on each other in some of a run's sequences, up to where these part. */
interface Span {
  tokens: number[];
  parent: Span | undefined;
  /** By their first tokens. */
  readonly next: Map<number, Span>;
  /** Whose call is to pay for them; undefined: they are paid. */
  claim: Claim | undefined;
  /** Another call was let in without paying for them. */
  relied: boolean;
}

/**
 * What one run has been charged for, as prefixes of its sequences. The program's place says which of a sequence's tokens
 * are paid, and may lie: this is the server's own book, a radix tree for each model with each adapter. Whoever comes to
 * tokens that nobody has paid for claims them; others that begin alike rely on that claim, once the meter has let it in.
 */
export class ChargedTokens {
  readonly #roots = new Map<string, Span>();

  /** What a call with this prompt is charged for. `place`: the model and the adapter. `least`: what it costs in any case. */
  async claim(place: string, tokens: Uint32Array, least = 0): Promise<Claim> {
    for (;;) {
      const path = this.#path(place, tokens);
      const undecided = path.spans.find(({ claim }) => claim && !claim.decided);
      if (!undecided) return this.#claim(path, tokens, least);
      await undecided.claim!.decision;
    }
  }

  /** They were paid for: as an answer, or by whoever saved them. */
  add(place: string, tokens: ArrayLike<number>): void {
    const { spans, length } = this.#path(place, tokens);
    const last = spans.at(-1)!;
    if (length === tokens.length) return;
    const rest = listOf(tokens, length);
    // A sequence that grows is one span.
    if (last.parent && last.claim === undefined && last.next.size === 0)
      for (const token of rest) last.tokens.push(token);
    else attach(last, rest);
  }

  /** How many of the first are paid. */
  paid(place: string, tokens: ArrayLike<number>): number {
    let paid = 0;
    for (const { tokens: some, claim } of this.#path(place, tokens).spans) {
      if (claim) break;
      paid += some.length;
    }
    return paid;
  }

  #claim({ spans, length }: Path, tokens: Uint32Array, least: number): Claim {
    for (const span of spans) if (span.claim) span.relied = true;
    const claim = new Claim(length, tokens.length - length, least);
    if (length < tokens.length) claim.take(attach(spans.at(-1)!, listOf(tokens, length)));
    return claim;
  }

  /** The spans that the tokens begin with; the last one is cut where they part. */
  #path(place: string, tokens: ArrayLike<number>): Path {
    let span = this.#root(place);
    const spans = [span];
    let length = 0;
    for (;;) {
      const next = span.next.get(tokens[length] ?? -1);
      if (!next) return { spans, length };
      const same = common(next.tokens, tokens, length);
      span = same < next.tokens.length ? cut(next, same) : next;
      spans.push(span);
      length += same;
    }
  }

  #root(place: string): Span {
    const root = this.#roots.get(place) ?? {
      tokens: [],
      parent: undefined,
      next: new Map(),
      claim: undefined,
      relied: false,
    };
    this.#roots.set(place, root);
    return root;
  }
}

interface Path {
  /** From the root on. */
  readonly spans: readonly Span[];
  /** Tokens of all of them. */
  readonly length: number;
}

/** The part of a prompt that one call pays for. */
export class Claim implements Charge {
  readonly promptTokens: number;
  readonly #paid: number;
  readonly #spans = new Set<Span>();
  readonly #decision = Promise.withResolvers<void>();
  #state: 'asked' | 'granted' | 'used' | 'ended' = 'asked';

  constructor(paid: number, promptTokens: number, least: number) {
    this.#paid = paid;
    this.promptTokens = Math.max(promptTokens, least);
  }

  /** Whether the meter has let it in, or not. */
  get decided(): boolean {
    return this.#state !== 'asked';
  }

  get decision(): Promise<void> {
    return this.#decision.promise;
  }

  take(span: Span): void {
    span.claim = this;
    this.#spans.add(span);
  }

  granted(): void {
    if (this.#state === 'asked') this.#state = 'granted';
    this.#decision.resolve();
  }

  of({ cachedTokens, completionTokens }: EngineUsage): EngineUsage {
    if (this.#state === 'granted') {
      this.#state = 'used';
      this.#pay([...this.#spans]);
    }
    // The cache has a prompt's first tokens, and so have those who paid.
    const cached = Math.min(this.promptTokens, Math.max(0, cachedTokens - this.#paid));
    return { promptTokens: this.promptTokens, cachedTokens: cached, completionTokens };
  }

  /** A call that has used nothing gives its tokens back, but those that others were let in on. */
  end(): EngineUsage | undefined {
    const unused = this.#state === 'asked' || this.#state === 'granted';
    this.#state = unused ? 'ended' : this.#state;
    this.#decision.resolve();
    if (!unused) return undefined;
    const relied = [...this.#spans].filter(span => span.relied);
    for (const span of this.#spans) if (!span.relied) detach(span);
    this.#pay(relied);
    const promptTokens = relied.reduce((sum, { tokens }) => sum + tokens.length, 0);
    return promptTokens === 0 ? undefined : { promptTokens, cachedTokens: 0, completionTokens: 0 };
  }

  #pay(spans: readonly Span[]): void {
    for (const span of spans) span.claim = undefined;
    this.#spans.clear();
  }
}

function attach(parent: Span, tokens: number[]): Span {
  const span: Span = { tokens, parent, next: new Map(), claim: undefined, relied: false };
  parent.next.set(tokens[0]!, span);
  return span;
}

function detach({ parent, tokens }: Span): void {
  parent?.next.delete(tokens[0]!);
}

/** The span's first `length` tokens, as a span of their own in front of the rest. */
function cut(span: Span, length: number): Span {
  const { parent, tokens, claim, relied } = span;
  const head = attach(parent!, tokens.slice(0, length));
  head.relied = relied;
  span.tokens = tokens.slice(length);
  span.parent = head;
  head.next.set(span.tokens[0]!, span);
  claim?.take(head);
  return head;
}

/** How many of `some` are what stands in `tokens` from `start` on. */
function common(some: readonly number[], tokens: ArrayLike<number>, start: number): number {
  const most = Math.min(some.length, tokens.length - start);
  let same = 0;
  while (same < most && some[same] === tokens[start + same]) same++;
  return same;
}
