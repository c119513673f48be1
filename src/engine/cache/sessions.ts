import { type MaybePromise, pageTokens } from '../../backend/backend.ts';
import { RealmError } from '../../errors.ts';
import type { Model } from '../../model/types.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { AdapterInUse } from '../adapters.ts';
import type { SequenceId } from '../request.ts';
import { createSequence, type Sequence } from '../sequence.ts';
import type { BlockId, BlockPool } from './block-pool.ts';
import type { CachedPage } from './cached-page.ts';
import type { PrefixCache } from './prefix-cache.ts';
import { openSession, type SessionBinding, writeSession } from './session-file.ts';
import type { StateSlots } from './state-slots.ts';

/** Which session, for whom. Structured-cloneable. */
export interface SessionRequest {
  readonly tenant: string;
  /** Name of the adapter that the tokens ran with. */
  readonly adapter?: string | undefined;
  readonly path: string;
  /** Key of the file's seal. */
  readonly seal: Uint8Array;
}

/** What a session holds. */
export interface SessionInfo {
  readonly tokens: number;
  /** How many of them the file (saved) or the prefix cache (restored) has; the others are computed anew. */
  readonly computed: number;
  /** Length of the file. */
  readonly bytes?: number;
}

/** Runs something between two steps of the engine. */
type Between = <T>(work: () => MaybePromise<T>) => Promise<T>;

interface Parts {
  readonly model: Model;
  readonly pool: BlockPool;
  readonly cache: PrefixCache;
  readonly slots: StateSlots;
  readonly between: Between;
  readonly fingerprint: string;
}

/**
 * Saves what the prefix cache holds for some tokens, and puts it back: in another process too, under another secret.
 * A sequence that takes the pages over goes on with the same bits as if it had computed them.
 */
export class Sessions {
  readonly #model: Model;
  readonly #pool: BlockPool;
  readonly #cache: PrefixCache;
  readonly #slots: StateSlots;
  readonly #between: Between;
  readonly #fingerprint: string;

  constructor(parts: Parts) {
    this.#model = parts.model;
    this.#pool = parts.pool;
    this.#cache = parts.cache;
    this.#slots = parts.slots;
    this.#between = parts.between;
    this.#fingerprint = parts.fingerprint;
  }

  async save(
    request: SessionRequest,
    tokens: readonly Token[],
    adapter: AdapterInUse | undefined,
  ): Promise<SessionInfo> {
    const holder = holderOf(request.tenant, tokens, adapter);
    this.#cache.acquire(holder);
    if (this.#slots.total > 0) this.#cache.keepToState(holder);
    const last = holder.cached.at(-1);
    try {
      const bytes = await writeSession(request.path, request.seal, this.#binding(request.tenant, adapter), {
        tokens,
        pages: holder.pages.length,
        pageBytes: this.#model.pageBytes,
        stateBytes: last?.state === undefined ? 0 : this.#model.slotBytes,
        state: () => this.#readState(last!),
        contents: this.#readPages(holder.pages),
      });
      return { tokens: tokens.length, computed: holder.computed, bytes };
    } finally {
      this.#cache.release(holder, true);
    }
  }

  async restore({ tenant, path, seal }: SessionRequest, adapter: AdapterInUse | undefined): Promise<SessionInfo> {
    const session = await openSession(path, seal, this.#binding(tenant, adapter));
    try {
      const holder = holderOf(tenant, session.tokens, adapter);
      this.#cache.acquire(holder);
      if (this.#slots.total > 0) this.#cache.keepToState(holder);
      const known = holder.pages.length;
      this.#cache.release(holder, true);
      const pages = known < session.pages ? await this.#read(session, holder) : known;
      return { tokens: session.tokens.length, computed: pages * pageTokens };
    } finally {
      await session.close();
    }
  }

  /** The pages go into free ones, and into the cache once all of them are known to be right. */
  async #read(session: Awaited<ReturnType<typeof openSession>>, holder: Sequence): Promise<number> {
    const blocks = this.#allocate(holder.tenant, session.pages);
    try {
      for (let i = 0; i < session.pages; i++) {
        const bytes = await session.next();
        const block = blocks[i];
        if (block !== undefined) await this.#between(() => this.#model.writePage(block, bytes));
      }
      const state = session.stateBytes > 0 ? await session.state() : undefined;
      await session.verify();
      if (state && blocks.length === session.pages) await this.#writeState(holder, state, blocks.length * pageTokens);
    } catch (error) {
      for (const block of blocks) this.#pool.release(block);
      throw error;
    }
    holder.pages.push(...blocks);
    holder.computed = blocks.length * pageTokens;
    holder.partsAt = holder.computed;
    this.#cache.register(holder);
    this.#cache.release(holder, true);
    return blocks.length;
  }

  /** The bytes of pages, one after the other; they are overwritten by the next page's. */
  async *#readPages(pages: readonly BlockId[]): AsyncGenerator<Uint8Array> {
    const bytes = new Uint8Array(this.#model.pageBytes);
    for (const page of pages) {
      await this.#between(() => this.#model.readPage(page, bytes));
      yield bytes;
    }
  }

  /** The state that is kept for a page. */
  async #readState(page: CachedPage): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.#model.slotBytes);
    await this.#between(() => {
      if (page.state === undefined)
        throw new RealmError('session_failed', 'its state was given up for a request meanwhile: try again');
      this.#model.copySlots(this.#slots.takeCopies());
      return this.#model.readSlot(page.state, bytes);
    });
    return bytes;
  }

  /** Writes the state into free slots of the holder's, from which the cache takes it. Without a slot its pages are of no use yet. */
  async #writeState(holder: Sequence, bytes: Uint8Array, tokens: number): Promise<void> {
    await this.#between(() => {
      this.#model.copySlots(this.#slots.takeCopies());
      const [current, next] = [this.#slots.allocate(), this.#slots.allocate()];
      if (current === undefined || next === undefined) {
        for (const slot of [current, next]) if (slot !== undefined) this.#slots.release(slot);
        return undefined;
      }
      holder.slots = { current, next, tokens };
      return this.#model.writeSlot(current, bytes);
    });
  }

  /** Allocates as many pages as there is room for beside what runs and what neighbours are entitled to. */
  #allocate(tenant: string, count: number): BlockId[] {
    for (let some = count; some > 0; some >>= 1) {
      if (this.#cache.makeRoom(tenant, some, false)) return this.#pool.allocate(some);
    }
    return [];
  }

  #binding(tenant: string, adapter: AdapterInUse | undefined): SessionBinding {
    const cache = `${this.#model.pageBytes} bytes a page`;
    return {
      tenant,
      model: `${this.#fingerprint}, ${cache}`,
      adapter: adapter?.fingerprint ?? '',
      kvLayout: this.#model.kvLayout,
    };
  }
}

/** A sequence that only holds pages. The token behind the others lets it have their last full page too. */
function holderOf(tenant: string, tokens: readonly Token[], adapter: AdapterInUse | undefined): Sequence {
  const prompt = [...tokens, 0 as Token];
  return createSequence({ id: -1 as SequenceId, tenant, priority: 0, limit: prompt.length, prompt, adapter });
}
