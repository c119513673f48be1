import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { StoreTables } from '../store/schema.ts';

/** What there is of a request that has come before. */
export type Earlier =
  /** Nothing: it is for the caller to answer, and to say so under this name. */
  | { readonly kind: 'none'; readonly attempt: string }
  | { readonly kind: 'running' }
  | { readonly kind: 'other' }
  | { readonly kind: 'too_long' }
  | { readonly kind: 'answered'; readonly answer: string };

/** Answers that are kept for those who ask the same again. */
export interface AnswerBook {
  /** Whether a request was answered before: `id` is its key's, `digest` its own. */
  begin(request: { id: string; owner: string; digest: string }): Promise<Earlier>;
  /** Keeps the answer; undefined: that there was one. */
  keep(id: string, attempt: string, answer: string | undefined): Promise<void>;
  /** There is no answer: whoever asks again is answered anew. */
  forget(id: string, attempt: string): Promise<void>;
  close(): Promise<void>;
}

/** Every request is answered anew. */
export const keepsNoAnswers: AnswerBook = {
  begin: async () => ({ kind: 'none', attempt: '' }),
  keep: async () => {},
  forget: async () => {},
  close: async () => {},
};

const keptMs = 24 * 3_600_000;
/** A server that does not renew what it answers is dead. */
const runningMs = 30_000;
const renewMs = 10_000;
const purgeMs = 600_000;
/** What an owner's answers may take up; the oldest make room. */
const ownerBytes = 64 << 20;

/** Answers in the store, for a day. */
export class KeptAnswers implements AnswerBook {
  readonly #db: Kysely<StoreTables>;
  readonly #now: () => number;
  /** What is being answered: ids by attempts. */
  readonly #running = new Map<string, string>();
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(db: Kysely<StoreTables>, now: () => number = Date.now) {
    this.#db = db;
    this.#now = now;
    // What fails is tried again next time.
    const each = (ms: number, work: () => Promise<void>) => setInterval(() => work().catch(() => {}), ms).unref();
    this.#timers = [each(renewMs, () => this.renew()), each(purgeMs, () => this.purge())];
  }

  async begin({ id, owner, digest }: { id: string; owner: string; digest: string }): Promise<Earlier> {
    const attempt = randomUUID();
    const now = this.#now();
    const times = { created_at: now, expires_at: now + runningMs };
    const fresh = { owner, digest, attempt, ended: 0, answer: null, bytes: 0, ...times };
    const written = await this.#db
      .insertInto('idempotency_keys')
      .values({ id, ...fresh })
      .onConflict(conflict => conflict.column('id').doUpdateSet(fresh).where('idempotency_keys.expires_at', '<=', now))
      .returning('id')
      .execute();
    if (written.length > 0) {
      this.#running.set(attempt, id);
      return { kind: 'none', attempt };
    }
    const row = await this.#db
      .selectFrom('idempotency_keys')
      .select(['digest', 'ended', 'answer'])
      .where('id', '=', id)
      .executeTakeFirst();
    // It was forgotten at this moment.
    if (row === undefined) return { kind: 'running' };
    if (row.digest !== digest) return { kind: 'other' };
    if (row.ended === 0) return { kind: 'running' };
    return row.answer === null ? { kind: 'too_long' } : { kind: 'answered', answer: row.answer };
  }

  async keep(id: string, attempt: string, answer: string | undefined): Promise<void> {
    this.#running.delete(attempt);
    await this.#db
      .updateTable('idempotency_keys')
      .set({
        ended: 1,
        answer: answer ?? null,
        bytes: answer?.length ?? 0,
        expires_at: this.#now() + keptMs,
      })
      .where('id', '=', id)
      .where('attempt', '=', attempt)
      .execute();
  }

  async forget(id: string, attempt: string): Promise<void> {
    this.#running.delete(attempt);
    await this.#db.deleteFrom('idempotency_keys').where('id', '=', id).where('attempt', '=', attempt).execute();
  }

  /** Those that are being answered stay so. */
  async renew(): Promise<void> {
    if (this.#running.size === 0) return;
    await this.#db
      .updateTable('idempotency_keys')
      .set({ expires_at: this.#now() + runningMs })
      .where('attempt', 'in', [...this.#running.keys()])
      .where('ended', '=', 0)
      .execute();
  }

  /** Removes what has expired, and what is too much of one owner. */
  async purge(): Promise<void> {
    await this.#db.deleteFrom('idempotency_keys').where('expires_at', '<=', this.#now()).execute();
    const sums = this.#db
      .selectFrom('idempotency_keys')
      .select(({ fn }) => [
        'id',
        fn
          .sum<number>('bytes')
          .over(over => over.partitionBy('owner').orderBy('created_at', 'desc'))
          .as('total'),
      ])
      .where('ended', '=', 1);
    await this.#db
      .deleteFrom('idempotency_keys')
      .where('id', 'in', eb => eb.selectFrom(sums.as('sums')).select('sums.id').where('sums.total', '>', ownerBytes))
      .execute();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
  }
}
