import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import { RealmError } from '../errors.ts';
import type { Store } from '../store/open.ts';
import type { AuditTable, StoreTables } from '../store/schema.ts';
import { announce } from '../store/watch.ts';
import { withoutKeys } from './keys.ts';

/** What was done, by whom and to what. */
export interface AuditNote {
  /** The public id of a key, `local` for whoever needs none, `cli` for the commands, `file` for realm.yaml. */
  readonly actor: string;
  /** `tenant.created`, `key.revoked` … */
  readonly action: string;
  /** The id of what it was done to. */
  readonly target: string;
  readonly detail?: object | undefined;
}

export interface AuditEntry {
  readonly seq: number;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly detail: unknown;
  readonly hash: string;
}

export type Change<T> = (trx: Transaction<StoreTables>, seq: number, at: number) => Promise<T>;

/** How many entries, and the hash of the last one: kept elsewhere, it proves them all. */
export interface AuditProof {
  readonly entries: number;
  readonly hash: string;
}

const page = 1000;

/** The operator's actions, each with the hash of the one before it: what is changed, taken out or put in later breaks the chain. */
export class AuditLog {
  readonly #store: Store;
  readonly #now: () => number;

  constructor(store: Store, now: () => number = Date.now) {
    this.#store = store;
    this.#now = now;
  }

  async note(note: AuditNote): Promise<void> {
    await this.record(note, async () => {});
  }

  /** Both or neither: the change, and the entry that tells of it. Changes are made one after the other, on all servers. */
  record<T>(note: AuditNote, change: Change<T>): Promise<T> {
    return this.#store.db.transaction().execute(async trx => {
      const head = await trx
        .updateTable('audit_head')
        .set(eb => ({ seq: eb('seq', '+', 1) }))
        .returning(['seq', 'hash'])
        .executeTakeFirstOrThrow();
      const at = this.#now();
      const result = await change(trx, head.seq, at);
      const { actor, action } = note;
      const target = withoutKeys(note.target.replaceAll('\0', ''));
      const detail = withoutKeys(JSON.stringify(note.detail ?? {}));
      const entry = { seq: head.seq, at, actor, action, target, detail, previous: head.hash };
      const hash = hashOf(entry);
      await trx
        .insertInto('audit')
        .values({ ...entry, hash })
        .execute();
      await trx.updateTable('audit_head').set({ hash }).execute();
      await announce(this.#store, trx);
      return result;
    });
  }

  /** Those after a number, the oldest first. */
  async list({ after = 0, limit = 100 }: { after?: number; limit?: number } = {}): Promise<AuditEntry[]> {
    return (await this.#rows(after, limit)).map(({ seq, at, actor, action, target, detail, hash }) => {
      return { seq, at: new Date(at).toISOString(), actor, action, target, detail: JSON.parse(detail), hash };
    });
  }

  /** Reads all entries. Throws `audit_broken`, naming the first one that is not what was written. */
  async verify(): Promise<AuditProof> {
    const head = await this.#store.db.selectFrom('audit_head').selectAll().executeTakeFirst();
    const chain = new AuditChain();
    for (let rows = await this.#rows(0, page); rows.length > 0; rows = await this.#rows(chain.entries, page)) {
      for (const row of rows) chain.add(row, row.previous);
    }
    // What was added meanwhile is not in the head that was read.
    if (!head || chain.entries < head.seq) throw broken(`entry ${chain.entries + 1} is missing`);
    if (chain.entries === head.seq && chain.hash !== head.hash) throw changed(chain.entries);
    return chain;
  }

  #rows(after: number, limit: number): Promise<AuditTable[]> {
    return this.#store.db
      .selectFrom('audit')
      .selectAll()
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(limit)
      .execute();
  }
}

/** Entries from the first one on, each of which must follow from those before it. */
export class AuditChain implements AuditProof {
  entries = 0;
  hash = '';

  /** Throws `audit_broken`. */
  add(row: Omit<AuditTable, 'previous'>, previous = this.hash): void {
    if (row.seq !== this.entries + 1) throw broken(`entry ${this.entries + 1} is missing`);
    if (previous !== this.hash || row.hash !== hashOf({ ...row, previous })) throw changed(row.seq);
    [this.entries, this.hash] = [row.seq, row.hash];
  }
}

const changed = (seq: number): RealmError => broken(`entry ${seq} was changed or put in`);

function broken(what: string): RealmError {
  return new RealmError('audit_broken', `the audit log is not what was written: ${what}`);
}

function hashOf({ seq, at, actor, action, target, detail, previous }: Omit<AuditTable, 'hash'>): string {
  const text = JSON.stringify([seq, at, actor, action, target, detail, previous]);
  return createHash('sha256').update(text).digest('hex');
}
