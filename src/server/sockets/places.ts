import { RealmError } from '../../errors.ts';

/** How many WebSockets there may be. */
export interface ConnectionLimits {
  /** In all. */
  readonly connections: number;
  readonly tenantConnections: number;
}

/** A connection's place among those that may be open. */
export interface Place {
  /** From now on it is one of this tenant's. Throws `too_many_connections`. */
  belongTo(tenant: string): void;
  /** Later calls do nothing. */
  leave(): void;
}

/** Connections that have not said whose they are have a quarter of the places: whoever has a key finds one. */
const strangersShare = 1 / 4;

/** Counts connections, so that nobody holds more than their limit. */
export class Places {
  readonly #limits: ConnectionLimits;
  /** Of each tenant; of those that nobody knows yet under ''. */
  readonly #open = new Map<string, number>();
  #all = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** A place for a connection of the tenant, or of a stranger. Throws `too_many_connections`. */
  take(tenant = ''): Place {
    if (this.#all >= this.#limits.connections) throw full('The server has', 'connections');
    this.#enter(tenant);
    this.#all++;
    let owner: string | undefined = tenant;
    return {
      belongTo: next => {
        if (owner === undefined || next === owner) return;
        this.#enter(next);
        this.#leave(owner);
        owner = next;
      },
      leave: () => {
        if (owner === undefined) return;
        this.#leave(owner);
        this.#all--;
        owner = undefined;
      },
    };
  }

  #enter(owner: string): void {
    const { connections, tenantConnections } = this.#limits;
    const open = this.#open.get(owner) ?? 0;
    if (owner === '' && open >= Math.max(1, connections * strangersShare))
      throw full('The server has', 'connections that have not sent a key');
    if (owner !== '' && open >= tenantConnections) throw full('The tenant has', 'connections');
    this.#open.set(owner, open + 1);
  }

  #leave(owner: string): void {
    const open = this.#open.get(owner)! - 1;
    if (open === 0) this.#open.delete(owner);
    else this.#open.set(owner, open);
  }
}

function full(who: string, what: string): RealmError {
  const message = `${who} as many open ${what} as it may; close one, or use one for several requests at once`;
  return new RealmError('too_many_connections', message, { retryAfter: 5 });
}
