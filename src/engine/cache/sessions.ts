import { pageTokens } from '../../backend/backend.ts';
import type { Model } from '../../model/types.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { AdapterInUse } from '../adapters.ts';
import { createSequence, type Sequence } from '../sequence.ts';
import type { BlockId, BlockPool } from './block-pool.ts';
import type { PrefixCache } from './prefix-cache.ts';
import { openSession, type SessionBinding, writeSession } from './session-file.ts';

/** Which session, for whom. Structured-cloneable. */
export interface SessionRequest {
  readonly tenant: string;
  /** Name of the adapter that the tokens ran with. */
  readonly adapter?: string;
  readonly path: string;
  /** Key of the file's seal. */
  readonly seal: Uint8Array;
}

/** What a session holds. */
export interface SessionInfo {
  readonly tokens: number;
  /** Of those, in the file (saved) or in the prefix cache (restored); the others are computed anew. */
  readonly computed: number;
  /** Of the file. */
  readonly bytes?: number;
}

/** Runs something between two steps of the engine. */
type Between = <T>(work: () => T) => Promise<T>;

/**
 * Saves what the prefix cache holds for some tokens, and puts it back: in another process too, under another secret.
 * A sequence that takes the pages over goes on with the same bits as if it had computed them.
 */
export class Sessions {
  readonly #model: Model;
  readonly #pool: BlockPool;
  readonly #cache: PrefixCache;
  readonly #between: Between;
  readonly #fingerprint: string;

  constructor(parts: { model: Model; pool: BlockPool; cache: PrefixCache; between: Between; fingerprint: string }) {
    this.#model = parts.model;
    this.#pool = parts.pool;
    this.#cache = parts.cache;
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
    const page = new Uint8Array(this.#model.pageBytes);
    try {
      const bytes = await writeSession(request.path, request.seal, this.#binding(request.tenant, adapter), {
        tokens,
        pages: holder.pages.length,
        pageBytes: page.length,
        page: async index => {
          await this.#between(() => this.#model.readPage(holder.pages[index], page));
          return page;
        },
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
        if (i < blocks.length) await this.#between(() => this.#model.writePage(blocks[i], bytes));
      }
      await session.verify();
    } catch (error) {
      for (const block of blocks) this.#pool.release(block);
      throw error;
    }
    holder.pages.push(...blocks);
    holder.computed = blocks.length * pageTokens;
    this.#cache.register(holder);
    this.#cache.release(holder, true);
    return blocks.length;
  }

  /** As many as there is room for beside what runs and what neighbours are entitled to. */
  #allocate(tenant: string, count: number): BlockId[] {
    for (let some = count; some > 0; some >>= 1) {
      if (this.#cache.makeRoom(tenant, some, false)) return this.#pool.allocate(some);
    }
    return [];
  }

  #binding(tenant: string, adapter: AdapterInUse | undefined): SessionBinding {
    const cache = `${this.#model.pageBytes} bytes a page`;
    return { tenant, model: `${this.#fingerprint}, ${cache}`, adapter: adapter?.fingerprint ?? '' };
  }
}

/** A sequence that only holds pages. The token behind the others lets it have their last full page too. */
function holderOf(tenant: string, tokens: readonly Token[], adapter: AdapterInUse | undefined): Sequence {
  const prompt = [...tokens, 0 as Token];
  return createSequence({ id: -1, tenant, priority: 0, limit: prompt.length, prompt, adapter });
}
