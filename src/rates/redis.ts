import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { type Ask, type Grant, type Level, LocalRates, levelOf, type RateBook, type Verdict } from './book.ts';
import { minuteMs } from './gcra.ts';
import { Lows } from './lows.ts';
import { rateScripts } from './redis-scripts.ts';

export interface SharedOptions {
  /** Hears when limits are shared no more, and when they are again. */
  readonly onChange?: (shared: boolean, servers: number) => void;
  /** How often Redis is told that this server lives. Default 1 s. */
  readonly beatMs?: number;
}

/** One that has not been heard of for so long does not count. */
const deadMs = 10_000;
/** A request that is being answered is renewed within this. */
const heldMs = 30_000;
/** Redis is beside its servers: it is lost if it takes longer. */
const patienceMs = 500;
/** Servers that lose Redis know nothing of each other's last minute: so much of each limit is taken as spent. */
const owedMs = 0.95 * minuteMs;

/** It is only told to clients, so it may be forgotten. */
const mostHeard = 10_000;

function connect(url: string) {
  const reconnectStrategy = (tries: number) => Math.min(50 * 2 ** tries, 1000);
  return createClient({
    url,
    scripts: rateScripts,
    disableOfflineQueue: true,
    socket: { connectTimeout: 2000, reconnectStrategy },
  });
}

/** Rates that several servers share through Redis. While it is lost each server allows its part of every limit. */
export class SharedRates implements RateBook {
  readonly #id = randomBytes(8).toString('hex');
  readonly #client: ReturnType<typeof connect>;
  readonly #onChange: NonNullable<SharedOptions['onChange']>;
  readonly #beatMs: number;
  readonly #closed = new AbortController();
  readonly #beating: Promise<void>;
  /** What was last heard of each limit. */
  readonly #heard = new Map<string, { earnedAt: number }>();
  /** Of those limits of which something may be given back. */
  readonly #lows = new Map<string, Lows>();
  readonly #held = new Map<string, Set<string>>();
  /** What is allowed here alone; once Redis is back, what is still to be told to it. */
  #alone: LocalRates;
  #shared = false;
  /** Redis was reached once: what it does not know any more it has lost. */
  #known = false;
  #servers = 1;
  #bornAt = '0';

  private constructor(url: string, { onChange = () => {}, beatMs = 1000 }: SharedOptions) {
    this.#client = connect(url);
    this.#client.on('error', () => this.#lost());
    this.#onChange = onChange;
    this.#beatMs = beatMs;
    this.#alone = this.#newAlone();
    this.#client.connect().catch(() => {});
    this.#beating = this.#beats();
  }

  /** Waits a little for Redis; a server starts without it too. */
  static async open(url: string, options: SharedOptions = {}): Promise<SharedRates> {
    const rates = new SharedRates(url, options);
    for (let i = 0; i < 100 && !rates.#shared; i++) await sleep(20);
    if (!rates.#shared) rates.#onChange(false, 1);
    return rates;
  }

  async take(asks: readonly Ask[]): Promise<Verdict> {
    const never = asks.findIndex(({ units, perMinute }) => units > perMinute);
    const levels = () => asks.map(({ key, perMinute }) => this.level(key, perMinute));
    if (never >= 0) return { granted: false, denier: never, waitMs: Number.POSITIVE_INFINITY, levels: levels() };
    const args = asks.flatMap(({ key, perMinute, units, refundable }) => {
      const elsewhere = this.#shared ? this.#alone.takeOver(key, perMinute) : 0;
      return [perMinute, units, elsewhere, refundable ? 1 : 0];
    });
    const answer = await this.#ask(() =>
      this.#client.take(
        asks.map(({ key }) => key),
        [this.#id, this.#bornAt, ...args],
      ),
    );
    if (answer === undefined) return this.#alone.take(asks);
    const [waitMs = 0, denier = 0, ...numbers] = answer.map(Number);
    for (const [i, { key }] of asks.entries()) this.#hear(key, numbers.slice(3 * i));
    if (waitMs > 0) return { granted: false, denier: denier - 1, waitMs, levels: levels() };
    return { granted: true, grants: asks.map(ask => this.#grant(ask)), levels: levels() };
  }

  level(key: string, perMinute: number): Level {
    if (!this.#shared) return this.#alone.level(key, perMinute);
    return levelOf(Math.max(0, (this.#heard.get(key)?.earnedAt ?? 0) - performance.now()), perMinute);
  }

  async hold(key: string, id: string, most: number): Promise<boolean> {
    const answer = await this.#ask(() => this.#client.hold([key], [id, most, heldMs]));
    const held = this.#held.get(key) ?? new Set<string>();
    const granted = answer === undefined ? held.size < this.#part(most) : answer === 1;
    if (granted) this.#held.set(key, held.add(id));
    return granted;
  }

  release(key: string, id: string): void {
    const held = this.#held.get(key);
    held?.delete(id);
    if (held?.size === 0) this.#held.delete(key);
    void this.#ask(() => this.#client.zRem(key, id));
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#beating;
    this.#client.destroy();
  }

  #grant({ key, perMinute, refundable }: Ask): Grant {
    if (!refundable) return { giveBack: () => {} };
    const lows = this.#lows.get(key) ?? new Lows();
    this.#lows.set(key, lows);
    let since: number | undefined = lows.begin();
    return {
      giveBack: async units => {
        if (since === undefined) return;
        const room = Math.min(lows.since(since), Number.MAX_SAFE_INTEGER);
        since = undefined;
        lows.end();
        // What was taken before Redis was lost is not given back here.
        if (this.#lows.get(key) !== lows) return;
        if (lows.open === 0) this.#lows.delete(key);
        const answer = await this.#ask(() => this.#client.giveBack([key], [this.#id, perMinute, units, room]));
        if (answer !== undefined && answer.length > 0) this.#hear(key, answer.map(Number));
      },
    };
  }

  /** What Redis says of a limit: its least debt is that of all takes that are open. */
  #hear(key: string, [debt = 0, least = 0]: readonly number[]): void {
    if (this.#heard.size > mostHeard) this.#heard.clear();
    this.#heard.set(key, { earnedAt: performance.now() + debt });
    this.#lows.get(key)?.note(least);
  }

  /** What Redis answers; undefined: it is lost. */
  async #ask<T>(command: () => Promise<T>): Promise<T | undefined> {
    if (!this.#shared) return undefined;
    try {
      return await this.#patiently(command());
    } catch {
      this.#lost();
      return undefined;
    }
  }

  async #patiently<T>(answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const late = () => reject(new Error('Redis takes too long'));
      // Where this process was late itself, the answer is there, and is read between timers and immediates.
      timer = setTimeout(() => setImmediate(() => setImmediate(late)), patienceMs);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #lost(): void {
    if (!this.#shared) return;
    this.#shared = false;
    this.#alone = this.#newAlone();
    this.#heard.clear();
    this.#lows.clear();
    if (!this.#closed.signal.aborted) this.#onChange(false, this.#servers);
  }

  /** Of those that run at once, this server's. */
  #part(most: number): number {
    return Math.max(1, Math.floor(most / this.#servers));
  }

  #newAlone(): LocalRates {
    return new LocalRates({ share: () => 1 / this.#servers, owed: owedMs });
  }

  /** Redis hears that this server lives, and which requests it answers; the first answer after a while without means that it is back. */
  async #beats(): Promise<void> {
    const { signal } = this.#closed;
    for (let i = 0; !signal.aborted; i++) {
      await this.#beat(i % 10 === 0).catch(() => this.#lost());
      const ms = this.#shared ? this.#beatMs : Math.min(100, this.#beatMs);
      await sleep(ms, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #beat(renew: boolean): Promise<void> {
    if (!this.#client.isReady) return;
    const lost = this.#known ? 1 : 0;
    const keys = ['realm:rates:servers', 'realm:rates:born'];
    const [servers, born] = await this.#patiently(this.#client.beat(keys, [this.#id, lost, deadMs]));
    // After a while without, not all have said yet that they live.
    if (this.#shared || !lost) this.#servers = Math.max(1, Number(servers));
    this.#bornAt = born;
    this.#known = true;
    if (renew || !this.#shared) await this.#renew();
    if (this.#shared) return;
    this.#shared = true;
    if (lost) this.#onChange(true, this.#servers);
  }

  async #renew(): Promise<void> {
    const renewals = [...this.#held].map(([key, ids]) => this.#client.renew([key], [heldMs, ...ids]));
    await this.#patiently(Promise.all(renewals));
  }
}
