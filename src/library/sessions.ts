import { resolve } from 'node:path';
import { RealmError } from '../errors.ts';
import type { ServedModel } from '../llm/load.ts';
import { SessionStore } from '../llm/sessions.ts';
import type { Token } from '../tokenizer/types.ts';
import type { GenerateOptions } from './options.ts';

/** What a request's session restores before its answer and saves after it. */
export interface Session {
  restore(): Promise<void>;
  save(tokens: readonly Token[]): Promise<void>;
}

/** Sessions of one model in a folder; whoever owns it says how many. */
export class Sessions {
  readonly #model: ServedModel;
  readonly #store: SessionStore | undefined;

  constructor(model: ServedModel, folder: string | undefined) {
    this.#model = model;
    const unlimited = { perTenant: Number.POSITIVE_INFINITY, bytesPerTenant: Number.POSITIVE_INFINITY };
    this.#store = folder === undefined ? undefined : new SessionStore({ path: resolve(folder), ...unlimited });
  }

  /** The session that a request names, if any. Throws `invalid_request` where there is no folder. */
  of({ session: id, tenant = 'default', adapter }: GenerateOptions): Session | undefined {
    if (id === undefined) return undefined;
    const store = this.#store;
    if (store === undefined || typeof id !== 'string' || id === '') {
      const problem = store
        ? 'must be a name'
        : 'there is no folder for sessions; name one in the sessions of loadModel';
      throw new RealmError('invalid_request', `session: ${problem}`, { param: 'session' });
    }
    const place = { id, tenant, adapter, model: this.#model };
    return {
      restore: async () => {
        await store.restore(place).catch((error: RealmError) => {
          if (error.code !== 'session_not_found') throw error;
        });
      },
      save: async tokens => {
        await store.save(place, tokens);
      },
    };
  }
}
