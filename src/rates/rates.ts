import { RealmError } from '../errors.ts';
import type { Ask, Grant, Level, RateBook, Verdict } from './book.ts';
import { type RateKind, rateHeaders } from './headers.ts';
import type { Rate, RateOf, RateOwner } from './rate.ts';

/** A request that was let in. */
export interface Admission {
  /** What is left of its limits now. */
  headers(): Record<string, string>;
  /** It has ended. Later calls do nothing. */
  release(): void;
}

/** One limit of an owner. */
interface Limit {
  readonly whose: 'tenant' | 'key';
  readonly key: string;
  readonly most: number;
}

const free: Admission = { headers: () => ({}), release: () => {} };

/** Limits of how fast: requests and those at once when a request comes in, tokens at each call to an engine. */
export class Rates {
  readonly #book: RateBook;
  readonly #rateOf: RateOf;
  readonly #onDenied: (limit: keyof Rate) => void;

  constructor(book: RateBook, rateOf: RateOf, onDenied: (limit: keyof Rate) => void = () => {}) {
    this.#book = book;
    this.#rateOf = rateOf;
    this.#onDenied = onDenied;
  }

  /** Lets a request in, `id` is its own. Throws `rate_limit_exceeded`. */
  async admit(owner: RateOwner, id: string): Promise<Admission> {
    const { tenant, key } = this.#rateOf(owner);
    if (!tenant && !key) return free;
    const release = await this.#hold(owner, id);
    const headers = () => ({ ...this.#headers(owner, 'requests'), ...this.#headers(owner, 'tokens') });
    try {
      const limits = this.#limits(owner, 'requestsPerMinute');
      if (limits.length > 0) await this.#take('requests', limits, 1);
    } catch (error) {
      release();
      throw error;
    }
    return { headers, release };
  }

  /** The most tokens that a call can take at all; undefined: any number. */
  mostTokens(owner: RateOwner): number | undefined {
    const limits = this.#limits(owner, 'tokensPerMinute');
    return limits.length === 0 ? undefined : Math.min(...limits.map(({ most }) => most));
  }

  /** Takes the tokens of a call; what it did not use is given back. Throws `rate_limit_exceeded`. */
  async takeTokens(owner: RateOwner, units: number): Promise<Grant> {
    const grants = await this.#take('tokens', this.#limits(owner, 'tokensPerMinute'), units);
    return {
      giveBack: unused => {
        for (const grant of grants) grant.giveBack(unused);
      },
    };
  }

  close(): Promise<void> {
    return this.#book.close();
  }

  async #hold(owner: RateOwner, id: string): Promise<() => void> {
    const held: string[] = [];
    const release = () => {
      for (const key of held.splice(0)) this.#book.release(key, id);
    };
    for (const limit of this.#limits(owner, 'concurrent')) {
      if (await this.#book.hold(limit.key, id, limit.most)) {
        held.push(limit.key);
        continue;
      }
      release();
      this.#onDenied('concurrent');
      const message = `The ${limit.whose}'s limit of ${limit.most} requests at once (concurrent) is reached; send this one again when another has ended`;
      const headers = { 'x-ratelimit-limit-concurrent': String(limit.most), 'x-ratelimit-remaining-concurrent': '0' };
      throw new RealmError('rate_limit_exceeded', message, { retryAfter: 1, headers });
    }
    return release;
  }

  async #take(kind: RateKind, limits: readonly Limit[], units: number): Promise<readonly Grant[]> {
    const refundable = kind === 'tokens';
    const asks: Ask[] = limits.map(({ key, most }) => ({ key, perMinute: most, units, refundable }));
    const taking = this.#book.take(asks);
    const verdict = taking instanceof Promise ? await taking : taking;
    if (verdict.granted) return verdict.grants;
    this.#onDenied(kind === 'requests' ? 'requestsPerMinute' : 'tokensPerMinute');
    throw denied(kind, limits[verdict.denier]!, units, verdict, verdict.levels[verdict.denier]!);
  }

  #limits(owner: RateOwner, kind: keyof Rate): Limit[] {
    const { tenant, key } = this.#rateOf(owner);
    const limits: Limit[] = [];
    // Redis keeps all that stands in the same braces in one place.
    const name = (rest: string) => `realm:rate:{${owner.tenant}}:${rest}`;
    if (tenant?.[kind] !== undefined) limits.push({ whose: 'tenant', key: name(kind), most: tenant[kind] });
    if (key?.[kind] !== undefined && owner.keyId !== undefined)
      limits.push({ whose: 'key', key: name(`${owner.keyId}:${kind}`), most: key[kind] });
    return limits;
  }

  /** Of the limit of which the least is left. */
  #headers(owner: RateOwner, kind: RateKind): Record<string, string> {
    const limits = this.#limits(owner, kind === 'requests' ? 'requestsPerMinute' : 'tokensPerMinute');
    const each = limits.map(limit => ({ limit, level: this.#book.level(limit.key, limit.most) }));
    const [first] = each.sort((a, b) => a.level.remaining - b.level.remaining);
    return first === undefined ? {} : rateHeaders(kind, first.limit.most, first.level);
  }
}

function denied(
  kind: RateKind,
  { whose, most }: Limit,
  units: number,
  { waitMs }: Extract<Verdict, { granted: false }>,
  level: Level,
): RealmError {
  const headers = rateHeaders(kind, most, level);
  const name = `the ${whose}'s limit of ${most} ${kind} a minute (${kind}_per_minute)`;
  if (units > most) {
    const message = `This needs up to ${units} ${kind}, prompt and answer, and ${name} never lets as many pass; send a shorter prompt or a smaller max_tokens`;
    return new RealmError('rate_limit_exceeded', message, { headers: { ...headers, 'x-should-retry': 'false' } });
  }
  // More than this server's part, while it knows nothing of the others.
  const retryAfter = Number.isFinite(waitMs) ? Math.max(1, Math.ceil(waitMs / 1000)) : 60;
  const what = kind === 'requests' ? '' : ` for the ${units} that this may take`;
  const message = `${name[0]!.toUpperCase()}${name.slice(1)} leaves ${level.remaining}${what}; try again in ${retryAfter} s`;
  return new RealmError('rate_limit_exceeded', message, { retryAfter, headers });
}
