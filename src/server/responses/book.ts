import { RealmError } from '../../errors.ts';
import type { Exchange } from '../exchange.ts';
import type { ResponseStore, StoredResponse } from './store.ts';
import type { ResponseWriter } from './writer.ts';

/** A response that is being made. */
export interface RunningResponse {
  readonly exchange: Exchange;
  readonly writer: ResponseWriter;
}

/** The responses of all tenants: those that are being made, and those that are kept. */
export class ResponseBook {
  readonly store: ResponseStore;
  /** The last ones of connections, which are written nowhere. */
  readonly local: ResponseStore;
  readonly #running = new Map<string, RunningResponse>();

  constructor(store: ResponseStore, local: ResponseStore) {
    this.store = store;
    this.local = local;
  }

  begin(id: string, running: RunningResponse): void {
    this.#running.set(id, running);
  }

  end(id: string): void {
    this.#running.delete(id);
  }

  running(tenant: string, id: string): RunningResponse | undefined {
    const found = this.#running.get(id);
    return found?.exchange.tenant === tenant ? found : undefined;
  }

  /** Throws `response_not_found`, whatever the reason is that the tenant has none. */
  async stored(tenant: string, id: string): Promise<StoredResponse> {
    const found = await this.store.find(tenant, id);
    if (found === undefined) throw notFound();
    return found;
  }
}

/** The same words for another tenant's, an expired one and one that never was. */
export const notFound = () =>
  new RealmError('response_not_found', 'There is no response of that id: it was not stored, or is kept no longer');

/** What a connection remembers of its answers, stored or not: the last one. */
export interface LocalResponses {
  /** Its own name, which nobody else knows. */
  readonly connection: string;
  /** It is closed: nothing more is to be remembered. */
  closed: boolean;
  /** Forgets the last one, if there is one. */
  forget?(): void;
}
