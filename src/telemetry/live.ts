import type { EngineUsage } from '../engine/request.ts';
import type { Meter, Reservation } from '../metering/meter.ts';

/** What a tenant has had lately. Rates are of the last ten seconds, all else of the last minute. */
export interface TenantFigures {
  readonly id: string;
  /** Tokens of answers. */
  readonly tokensPerSecond: number;
  /** Its part of all tokens that were computed, those of prompts that the cache had not too. */
  readonly share: number;
  /** From request to first text; undefined where none came. */
  readonly firstTokenMs: { readonly p50: number; readonly p95: number } | undefined;
  /** Of its prompts' tokens those that the cache had. */
  readonly cachedShare: number;
}

/** One finished request. */
interface Finished extends EngineUsage {
  readonly tenant?: string | undefined;
  readonly firstTokenMs?: number | undefined;
}

const rateSeconds = 10;
const keepSeconds = 60;
/** Finished requests of a tenant of which its figures are made. */
const mostFinished = 1000;

/** Calls its argument each second, until what it answers with is called. */
export type EverySecond = (work: () => void) => () => void;

const everySecond: EverySecond = work => {
  const timer = setInterval(work, 1000).unref();
  return () => clearInterval(timer);
};

/**
 * Who has what now, for an operator who watches. Counting a token is an addition; a timer moves the sums on, and runs
 * only while somebody asks for something.
 */
export class LiveFigures {
  readonly #activities = new Map<string, Activity>();
  readonly #every: EverySecond;
  #stop: (() => void) | undefined;
  #second = 0;

  constructor(every: EverySecond = everySecond) {
    this.#every = every;
  }

  of(tenant: string): Activity {
    this.#stop ??= this.#every(() => this.#tick());
    const known = this.#activities.get(tenant);
    if (known) return known;
    const activity = new Activity();
    this.#activities.set(tenant, activity);
    return activity;
  }

  finished(request: Finished): void {
    if (request.tenant !== undefined) this.of(request.tenant).finish(this.#second, request);
  }

  figures(): TenantFigures[] {
    const rates = [...this.#activities].map(([id, activity]) => ({ id, activity, ...activity.lately() }));
    const all = rates.reduce((sum, { computed }) => sum + computed, 0);
    return rates.map(({ id, activity, output, computed }) => ({
      id,
      tokensPerSecond: output / rateSeconds,
      share: all === 0 ? 0 : computed / all,
      ...activity.ofFinished(this.#second - keepSeconds),
    }));
  }

  #tick(): void {
    this.#second++;
    for (const [tenant, activity] of this.#activities) {
      if (activity.tick() > keepSeconds) this.#activities.delete(tenant);
    }
    if (this.#activities.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }
}

/** One tenant's. */
export class Activity {
  /** Tokens of answers, and of prompts that had to be computed, in this second. */
  output = 0;
  input = 0;
  /** To engines, that have not ended. */
  calls = 0;
  readonly #outputs = new Float64Array(rateSeconds);
  readonly #inputs = new Float64Array(rateSeconds);
  #seconds = 0;
  #idleSeconds = 0;
  /** Of finished requests, in a ring: lists of numbers, which leave no garbage. No first token is NaN. */
  readonly #ends: number[] = [];
  readonly #firsts: number[] = [];
  readonly #prompts: number[] = [];
  readonly #cached: number[] = [];
  #finished = 0;

  /** The next second begins. For how long nothing has happened, in seconds. */
  tick(): number {
    const at = this.#seconds++ % rateSeconds;
    this.#idleSeconds = this.calls > 0 || this.output > 0 ? 0 : this.#idleSeconds + 1;
    this.#outputs[at] = this.output;
    this.#inputs[at] = this.input;
    this.output = 0;
    this.input = 0;
    return this.#idleSeconds;
  }

  finish(second: number, { firstTokenMs = Number.NaN, promptTokens, cachedTokens }: Finished): void {
    this.#idleSeconds = 0;
    const at = this.#finished++ % mostFinished;
    this.#ends[at] = second;
    this.#firsts[at] = firstTokenMs;
    this.#prompts[at] = promptTokens;
    this.#cached[at] = cachedTokens;
  }

  lately(): { output: number; computed: number } {
    const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
    const output = sum(this.#outputs);
    return { output, computed: output + Math.max(0, sum(this.#inputs)) };
  }

  /** Of the requests that have finished since a second. */
  ofFinished(since: number): Pick<TenantFigures, 'firstTokenMs' | 'cachedShare'> {
    const recent = (values: readonly number[]) => values.filter((_, i) => this.#ends[i]! >= since);
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    const times = recent(this.#firsts)
      .filter(ms => !Number.isNaN(ms))
      .sort((a, b) => a - b);
    const quantile = (q: number) => times[Math.ceil(q * times.length) - 1]!;
    const [prompt, cached] = [sum(recent(this.#prompts)), sum(recent(this.#cached))];
    return {
      firstTokenMs: times.length === 0 ? undefined : { p50: quantile(0.5), p95: quantile(0.95) },
      cachedShare: prompt === 0 ? 0 : cached / prompt,
    };
  }
}

/** The same meter; the figures hear of every token as it comes, from whatever call to an engine. */
export function watched(meter: Meter, live: LiveFigures): Meter {
  const reserve: Meter['reserve'] = async call => {
    const reservation = await meter.reserve(call);
    const activity = live.of(call.tenant);
    let last: EngineUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
    const count = (usage: EngineUsage) => {
      activity.output += usage.completionTokens - last.completionTokens;
      activity.input += computed(usage) - computed(last);
      last = usage;
      reservation.count(usage);
    };
    let settled = false;
    const settle: Reservation['settle'] = status => {
      if (!settled) activity.calls--;
      settled = true;
      return reservation.settle(status);
    };
    activity.calls++;
    return { maxTokens: reservation.maxTokens, count, settle };
  };
  return Object.assign(Object.create(meter) as Meter, { reserve });
}

/** Tokens of the prompt that the cache had not. What it had is known at the end: until then all of them. */
const computed = ({ promptTokens, cachedTokens }: EngineUsage): number => promptTokens - cachedTokens;
