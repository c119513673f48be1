import { RealmError } from '../errors.ts';
import { fingerprint } from '../gguf/fingerprint.ts';
import { openGguf } from '../gguf/open.ts';
import type { Reader } from '../gguf/types.ts';
import type { Adapter, Model } from '../model/types.ts';

/** A loaded adapter, as the sequences that run with it know it. */
export interface AdapterInUse {
  readonly adapter: Adapter;
  /** Differs between any two loads, of the same file too: cached pages are told apart by it. */
  readonly cacheSalt: string;
  /** The same for every load of the same file. */
  readonly fingerprint: string;
}

interface Entry extends AdapterInUse {
  users: number;
  readonly freed: PromiseWithResolvers<void>;
}

/** The adapters of one model by name, and how many requests each has. */
export class Adapters {
  readonly #model: Model;
  readonly #named = new Map<string, Entry>();
  readonly #loading = new Set<string>();
  /** Without a name, until their last requests have ended. */
  readonly #retired = new Set<Entry>();
  #loads = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  async load(name: string, source: string | Reader): Promise<void> {
    if (this.#named.has(name) || this.#loading.has(name))
      throw new RealmError('adapter_exists', `an adapter ${name} is loaded already: unload it first`);
    this.#loading.add(name);
    try {
      const { adapter, fingerprint } = await this.#read(source);
      const cacheSalt = `adapter ${this.#loads++}`;
      this.#named.set(name, { adapter, cacheSalt, fingerprint, users: 0, freed: Promise.withResolvers() });
    } finally {
      this.#loading.delete(name);
    }
  }

  /** Takes the name away at once; resolves when {@link sweep} has freed the adapter. */
  retire(name: string): Promise<void> {
    const entry = this.#find(name);
    this.#named.delete(name);
    this.#retired.add(entry);
    return entry.freed.promise;
  }

  /** Every use ends with {@link release}. */
  use(name: string): AdapterInUse {
    const entry = this.#find(name);
    entry.users++;
    return entry;
  }

  release(adapter: AdapterInUse): void {
    (adapter as Entry).users--;
  }

  /** Frees what nobody may use any more. No batch may be running. */
  sweep(): void {
    for (const entry of this.#retired) {
      if (entry.users > 0) continue;
      this.#retired.delete(entry);
      this.#model.unloadAdapter(entry.adapter);
      entry.freed.resolve();
    }
  }

  #find(name: string): Entry {
    const entry = this.#named.get(name);
    if (entry) return entry;
    throw new RealmError('adapter_not_found', `there is no adapter ${name}: load it first`, { param: 'model' });
  }

  async #read(source: string | Reader): Promise<Pick<Entry, 'adapter' | 'fingerprint'>> {
    const file = await openGguf(source);
    try {
      return { adapter: await this.#model.loadAdapter(file), fingerprint: await fingerprint(file) };
    } finally {
      await file.close();
    }
  }
}
