import { pageTokens } from '../../backend/backend.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { CachedPage } from './cached-page.ts';

/** So many pages are compared with a text in less time than its page's key takes. */
const fewPages = 16;

/** A place in a text: tokens[from, until) are looked for behind the page that `previous` names, see {@link CachedPage}. */
export interface Place {
  readonly previous: string;
  readonly tokens: readonly Token[];
  readonly from: number;
  readonly until: number;
}

/** The cached pages of one tenant: found by what they hold behind which other page, with or without their key. */
export class TenantPages {
  readonly id: string;
  readonly secret: Uint8Array;
  /** Least recently used first. */
  readonly idle = new Set<CachedPage>();
  readonly #pages = new Map<string, CachedPage>();
  /** By the page before them. */
  readonly #full = new Map<string, Set<CachedPage>>();
  readonly #tails = new Map<string, Set<CachedPage>>();

  constructor(id: string, secret: Uint8Array) {
    this.id = id;
    this.secret = secret;
  }

  get size(): number {
    return this.#pages.size;
  }

  values(): Iterable<CachedPage> {
    return this.#pages.values();
  }

  has(key: string): boolean {
    return this.#pages.has(key);
  }

  /** The full page at a place, compared token by token. `key` works its key out: that takes longer than looking at a few pages. */
  find(place: Place, key: () => string): CachedPage | undefined {
    const here = this.#full.get(place.previous);
    if (!here) return undefined;
    const candidates = here.size > fewPages ? [this.#pages.get(key())] : here;
    for (const page of candidates)
      if (page?.previous === place.previous && isFull(page) && agreeing(page, place) === pageTokens) return page;
    return undefined;
  }

  /** The page that begins with most of what stands at a place; `full` ones count too, or tails alone. */
  longest(place: Place, full: boolean): { readonly page: CachedPage; readonly tokens: number } | undefined {
    let best: { page: CachedPage; tokens: number } | undefined;
    for (const pages of [this.#tails, ...(full ? [this.#full] : [])]) {
      for (const page of pages.get(place.previous) ?? []) {
        const tokens = agreeing(page, place);
        if (tokens > (best?.tokens ?? 0)) best = { page, tokens };
      }
    }
    return best;
  }

  /** The longest tail whose state is kept and that holds nothing but the beginning of what stands at a place. */
  longestWithState(place: Place): { readonly page: CachedPage; readonly tokens: number } | undefined {
    const tails = this.shorterTails(place).filter(({ state }) => state !== undefined);
    const [first, ...rest] = tails;
    const page = first && rest.reduce((a, b) => (b.tokens.length > a.tokens.length ? b : a), first);
    return page && { page, tokens: page.tokens.length };
  }

  /** The tails at a place that hold nothing but the beginning of it. */
  shorterTails(place: Place): CachedPage[] {
    const tails = [...(this.#tails.get(place.previous) ?? [])];
    return tails.filter(tail => agreeing(tail, place) === tail.tokens.length);
  }

  add(page: CachedPage): void {
    this.#pages.set(page.key, page);
    const behind = this.#indexOf(page);
    const pages = behind.get(page.previous);
    if (pages) pages.add(page);
    else behind.set(page.previous, new Set([page]));
  }

  remove(page: CachedPage): void {
    this.idle.delete(page);
    this.#pages.delete(page.key);
    const behind = this.#indexOf(page);
    const pages = behind.get(page.previous);
    pages?.delete(page);
    if (pages?.size === 0) behind.delete(page.previous);
  }

  /** An idle page was of use. */
  touch(page: CachedPage): void {
    if (this.idle.delete(page)) this.idle.add(page);
  }

  #indexOf(page: CachedPage): Map<string, Set<CachedPage>> {
    return isFull(page) ? this.#full : this.#tails;
  }
}

const isFull = ({ tokens }: CachedPage): boolean => tokens.length === pageTokens;

/** Leading tokens of the page that stand at the place. */
function agreeing(page: CachedPage, { tokens, from, until }: Place): number {
  const most = Math.min(page.tokens.length, until - from);
  let count = 0;
  while (count < most && page.tokens[count] === tokens[from + count]) count++;
  return count;
}
