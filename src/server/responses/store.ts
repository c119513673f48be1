import type { ResponseLimits } from '../../tenancy/config.ts';

/** A finished response as it is kept: texts of JSON, which cost what they are long. */
export interface StoredResponse {
  readonly id: string;
  readonly response: string;
  /** The request's own items. */
  readonly input: string;
  /** All items, from the beginning of the conversation to the end of the answer. */
  readonly context: string;
  /** The answer's items, each with its id. */
  readonly items: readonly (readonly [id: string, json: string])[];
}

/** Where responses are kept for later requests. A tenant sees nothing of another's, not even that it is there. */
export interface ResponseStore {
  save(tenant: string, response: StoredResponse): Promise<void>;
  find(tenant: string, id: string): Promise<StoredResponse | undefined>;
  /** The JSON of one item of an answer. */
  findItem(tenant: string, id: string): Promise<string | undefined>;
  /** Whether it was there. */
  remove(tenant: string, id: string): Promise<boolean>;
}

interface Kept {
  readonly response: StoredResponse;
  readonly bytes: number;
  readonly expires: number;
}

/** A tenant's, the oldest first. */
interface Shelf {
  readonly kept: Map<string, Kept>;
  /** Which response an item belongs to. */
  readonly owners: Map<string, string>;
  bytes: number;
}

/** In memory, lost with the process. What is too much for a tenant's quota pushes out the tenant's oldest. */
export class MemoryResponseStore implements ResponseStore {
  readonly #limits: ResponseLimits;
  readonly #now: () => number;
  readonly #shelves = new Map<string, Shelf>();

  constructor(limits: ResponseLimits, now: () => number = Date.now) {
    this.#limits = limits;
    this.#now = now;
  }

  async save(tenant: string, response: StoredResponse): Promise<void> {
    const { perTenant, bytesPerTenant, keepMs } = this.#limits;
    this.#dropExpired();
    const bytes = bytesOf(response);
    if (bytes > bytesPerTenant || perTenant === 0) return;
    const shelf = this.#shelves.get(tenant) ?? { kept: new Map(), owners: new Map(), bytes: 0 };
    this.#shelves.set(tenant, shelf);
    drop(shelf, response.id);
    while (shelf.kept.size >= perTenant || shelf.bytes + bytes > bytesPerTenant) drop(shelf, oldest(shelf));
    shelf.kept.set(response.id, { response, bytes, expires: this.#now() + keepMs });
    for (const [id] of response.items) shelf.owners.set(id, response.id);
    shelf.bytes += bytes;
  }

  async find(tenant: string, id: string): Promise<StoredResponse | undefined> {
    const kept = this.#shelves.get(tenant)?.kept.get(id);
    return kept !== undefined && kept.expires > this.#now() ? kept.response : undefined;
  }

  async findItem(tenant: string, id: string): Promise<string | undefined> {
    const owner = this.#shelves.get(tenant)?.owners.get(id);
    const response = owner === undefined ? undefined : await this.find(tenant, owner);
    return response?.items.find(([name]) => name === id)?.[1];
  }

  async remove(tenant: string, id: string): Promise<boolean> {
    const there = (await this.find(tenant, id)) !== undefined;
    if (there) drop(this.#shelves.get(tenant)!, id);
    return there;
  }

  /** All are kept equally long, so that a shelf's first are the first to go. */
  #dropExpired(): void {
    const now = this.#now();
    for (const [tenant, shelf] of this.#shelves) {
      for (const [id, { expires }] of shelf.kept) {
        if (expires > now) break;
        drop(shelf, id);
      }
      if (shelf.kept.size === 0) this.#shelves.delete(tenant);
    }
  }
}

/** What its strings take at most: two bytes a character. */
function bytesOf({ id, response, input, context, items }: StoredResponse): number {
  const ofItems = items.reduce((sum, [name, json]) => sum + name.length + json.length, 0);
  return 2 * (id.length + response.length + input.length + context.length + ofItems);
}

const oldest = ({ kept }: Shelf): string => kept.keys().next().value!;

function drop(shelf: Shelf, id: string): void {
  const kept = shelf.kept.get(id);
  if (kept === undefined) return;
  shelf.kept.delete(id);
  for (const [item] of kept.response.items) shelf.owners.delete(item);
  shelf.bytes -= kept.bytes;
}
