import { RealmError } from '../errors.ts';

/** What every handle of a backend carries. Without an owner it has been given back. */
export interface Owned {
  owner: object | undefined;
}

/** A backend as the owner of its handles. `Handles`: by the contract's kinds, what the backend itself knows of one. */
export class Owner<Handles> {
  readonly #backend: string;
  #closed = false;

  constructor(backend: string) {
    this.#backend = backend;
  }

  /** The handle as its backend knows it. Throws `internal_error` for another's, for one given back, and after {@link close}. */
  own<K extends keyof Handles>(handle: { readonly handle?: K }): Handles[K] {
    if ((handle as Partial<Owned>).owner !== this || this.#closed) throw this.#refused();
    return handle as Handles[K];
  }

  close(): void {
    this.#closed = true;
  }

  #refused(): RealmError {
    const why = this.#closed ? 'it is closed' : 'the handle is of another backend, or was given back';
    return new RealmError('internal_error', `the ${this.#backend} backend refuses: ${why}`);
  }
}
