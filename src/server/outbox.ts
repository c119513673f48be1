import { setTimeout as sleep } from 'node:timers/promises';
import type { Selectable } from 'kysely';
import type { Store } from '../store/open.ts';
import type { OutboxTable } from '../store/schema.ts';
import type { Logger } from '../telemetry/log.ts';
import { sendWebhook, type Webhook } from './webhook.ts';

type Row = Selectable<OutboxTable>;

interface OutboxOptions {
  readonly logger: Logger;
  /** How often it is looked for events. Default 2 s; a minute where there is nobody to tell. */
  readonly pollMs?: number;
  /** Of the first try again; each takes twice as long as the one before. Default 1 s. */
  readonly backOffMs?: number;
  readonly now?: () => number;
}

/** One who tells an event has this long, then another server may. */
const claimMs = 60_000;
const atOnce = 20;
const longestBackOffMs = 3_600_000;
/** About two days. */
const mostAttempts = 60;
/** What was told stays so long, so that it is not told again. */
const keptMs = 62 * 86_400_000;

/**
 * Tells webhooks what stands in the outbox: at least once, across restarts, and from one server at a time where there are
 * several.
 */
export class Outbox {
  readonly #store: Store;
  readonly #webhooks: readonly Webhook[];
  readonly #logger: Logger;
  readonly #pollMs: number;
  readonly #backOffMs: number;
  readonly #now: () => number;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;

  constructor(store: Store, webhooks: readonly Webhook[], options: OutboxOptions) {
    this.#store = store;
    this.#webhooks = webhooks;
    this.#logger = options.logger;
    this.#pollMs = options.pollMs ?? (webhooks.length > 0 ? 2000 : 60_000);
    this.#backOffMs = options.backOffMs ?? 1000;
    this.#now = options.now ?? Date.now;
    this.#running = this.#run();
  }

  /** What is being told is told again later. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed;
    for (let polls = 0; !signal.aborted; polls++) {
      try {
        if (polls % 1000 === 0) await this.#purge();
        while (!signal.aborted && (await this.#deliver()) > 0);
      } catch (error) {
        this.#logger.log('warn', 'outbox not read', { reason: (error as Error).message });
      }
      await sleep(this.#pollMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #deliver(): Promise<number> {
    const rows = await this.#claim();
    await Promise.all(rows.map(row => this.#tell(row)));
    return rows.length;
  }

  /** Takes events that are due; nobody else does for a while, and somebody does later if this server dies. */
  async #claim(): Promise<Row[]> {
    const { db, kind } = this.#store;
    const now = this.#now();
    return db.transaction().execute(async trx => {
      const due = trx.selectFrom('outbox').selectAll().where('next_at', '<=', now).orderBy('next_at').limit(atOnce);
      // SQLite has one writer anyway.
      const rows = await (kind === 'postgres' ? due.forUpdate().skipLocked() : due).execute();
      const ids = rows.map(({ id }) => id);
      if (ids.length > 0)
        await trx
          .updateTable('outbox')
          .set({ next_at: now + claimMs })
          .where('id', 'in', ids)
          .execute();
      return rows;
    });
  }

  async #tell(row: Row): Promise<void> {
    const told = new Set<string>(JSON.parse(row.delivered_to));
    const time = new Date(row.created_at).toISOString();
    const body = `{"type":${JSON.stringify(row.type)},"timestamp":"${time}","data":${row.data}}`;
    const missing = this.#webhooks.filter(({ url }) => !told.has(url));
    const failures = await Promise.all(
      missing.map(async webhook => {
        try {
          await sendWebhook(webhook, { id: row.id, body }, this.#closed.signal);
          told.add(webhook.url);
          return undefined;
        } catch (error) {
          return { webhook, reason: reasonOf(error) };
        }
      }),
    );
    const attempts = row.attempts + 1;
    const failed = failures.filter(failure => failure !== undefined);
    const over = failed.length === 0 || attempts >= mostAttempts;
    for (const { webhook, reason } of failed)
      this.#logger.log(over ? 'error' : 'warn', over ? 'webhook given up' : 'webhook failed', {
        event: row.id,
        host: new URL(webhook.url).host,
        attempts,
        reason,
      });
    await this.#store.db
      .updateTable('outbox')
      .set({ delivered_to: JSON.stringify([...told]), attempts, next_at: over ? null : this.#nextAt(attempts) })
      .where('id', '=', row.id)
      .execute();
  }

  /** Not all at the same time again. */
  #nextAt(attempts: number): number {
    const backOff = Math.min(longestBackOffMs, this.#backOffMs * 2 ** (attempts - 1));
    return Math.round(this.#now() + backOff * (0.75 + Math.random() / 2));
  }

  async #purge(): Promise<void> {
    await this.#store.db
      .deleteFrom('outbox')
      .where('next_at', 'is', null)
      .where('created_at', '<', this.#now() - keptMs)
      .execute();
  }
}

/** What fetch says of a failure is in its cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? message;
}
