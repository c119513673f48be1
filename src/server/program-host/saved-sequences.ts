import { sql } from 'kysely';
import { RealmError } from '../../errors.ts';
import type { SavedSequence } from '../../sandbox/v2/types.ts';
import type { Store } from '../../store/open.ts';

/** A sequence as the server keeps it. */
export interface KeptSequence extends SavedSequence {
  /** Its first tokens that were charged for. */
  readonly paid: number;
}

/** Whose it is, and for which model: its tokens mean nothing to another. */
export interface SavedPlace {
  readonly tenant: string;
  readonly model: string;
  readonly key: string;
}

/** The most that all of a tenant's may be. */
export interface SavedLimits {
  readonly sequences: number;
  readonly bytes: number;
}

/** What a tenant has of it. */
export type SavedState = SavedLimits;

/** Sequences that programs keep for later runs of the same tenant's. */
export interface SavedSequences {
  /** In the place of what has the same key. Throws `session_limit`. */
  save(place: SavedPlace, sequence: KeptSequence, ttlSeconds: number, limits: SavedLimits): Promise<void>;
  open(place: SavedPlace): Promise<KeptSequence | undefined>;
  state(tenant: string): Promise<SavedState>;
}

/** Nothing is kept. */
export const keepsNoSequences: SavedSequences = {
  save: async () => {
    throw full({ sequences: 0, bytes: 0 });
  },
  open: async () => undefined,
  state: async () => ({ sequences: 0, bytes: 0 }),
};

const mostSeconds = 30 * 86_400;
const mostKey = 256;
const bytesOfToken = 4;

/** In the store, for at most 30 days. */
export class StoredSequences implements SavedSequences {
  readonly #store: Store;
  readonly #now: () => number;

  constructor(store: Store, now: () => number = Date.now) {
    this.#store = store;
    this.#now = now;
  }

  async save({ tenant, model, key }: SavedPlace, sequence: KeptSequence, ttlSeconds: number, limits: SavedLimits) {
    if (key === '' || Buffer.byteLength(key) > mostKey)
      throw new RealmError('invalid_request', `A sequence is saved under a key of 1 to ${mostKey} bytes`);
    const now = this.#now();
    const { tokens, answered, adapter = '', paid } = sequence;
    const row = {
      ...{ tenant, key, model, adapter, answered, paid },
      tokens: Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength).toString('base64'),
      bytes: Buffer.byteLength(key) + tokens.length * bytesOfToken,
      created_at: now,
      expires_at: now + Math.min(Math.max(1, ttlSeconds), mostSeconds) * 1000,
    };
    await this.#store.db.transaction().execute(async trx => {
      // Two saves of a tenant's must not both find the room that one needs.
      if (this.#store.kind === 'postgres') await sql`select pg_advisory_xact_lock(hashtext(${tenant}))`.execute(trx);
      await trx.deleteFrom('saved_sequences').where('expires_at', '<=', now).execute();
      await trx.deleteFrom('saved_sequences').where('tenant', '=', tenant).where('key', '=', key).execute();
      const { sequences, bytes } = await used(trx, tenant);
      if (sequences >= limits.sequences || bytes + row.bytes > limits.bytes) throw full(limits);
      await trx.insertInto('saved_sequences').values(row).execute();
    });
  }

  async open({ tenant, model, key }: SavedPlace): Promise<KeptSequence | undefined> {
    const row = await this.#store.db
      .selectFrom('saved_sequences')
      .select(['tokens', 'answered', 'adapter', 'paid'])
      .where('tenant', '=', tenant)
      .where('key', '=', key)
      .where('model', '=', model)
      .where('expires_at', '>', this.#now())
      .executeTakeFirst();
    if (!row) return undefined;
    const bytes = Uint8Array.from(Buffer.from(row.tokens, 'base64'));
    const { answered, paid, adapter } = row;
    return { tokens: new Uint32Array(bytes.buffer), answered, paid, adapter: adapter === '' ? undefined : adapter };
  }

  state(tenant: string): Promise<SavedState> {
    return used(this.#store.db, tenant, this.#now());
  }
}

async function used(db: Store['db'], tenant: string, now = 0): Promise<SavedState> {
  const sums = await db
    .selectFrom('saved_sequences')
    .select(({ fn }) => [fn.countAll<number>().as('sequences'), fn.sum<number | null>('bytes').as('bytes')])
    .where('tenant', '=', tenant)
    .where('expires_at', '>', now)
    .executeTakeFirstOrThrow();
  return { sequences: Number(sums.sequences), bytes: Number(sums.bytes ?? 0) };
}

function full({ sequences, bytes }: SavedLimits): RealmError {
  const message = `The tenant's saved sequences may be ${sequences} with ${bytes} bytes together (saved_sequences, saved_bytes of program_limits); save fewer, shorter or for less long`;
  return new RealmError('session_limit', message);
}
