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
}

const rateSeconds = 10;
const keepSeconds = 60;
/** Requests of a tenant of which its figures are made. */
const mostRequests = 1000;

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
    if (known) {
      known.idleSeconds = 0;
      return known;
    }
    const activity = new Activity();
    this.#activities.set(tenant, activity);
    return activity;
  }

  firstToken(tenant: string, ms: number): void {
    this.of(tenant).firsts.add(this.#second, ms);
  }

  finished({ tenant, promptTokens, cachedTokens }: Finished): void {
    if (tenant === undefined || promptTokens === 0) return;
    const activity = this.of(tenant);
    activity.prompts.add(this.#second, promptTokens);
    activity.cached.add(this.#second, cachedTokens);
  }

  figures(): TenantFigures[] {
    const rates = [...this.#activities].map(([id, activity]) => ({ id, activity, ...activity.lately() }));
    const all = rates.reduce((sum, { computed }) => sum + computed, 0);
    return rates.map(({ id, activity, output, computed }) => ({
      id,
      tokensPerSecond: output / rateSeconds,
      share: all === 0 ? 0 : computed / all,
      ...activity.since(this.#second - keepSeconds),
    }));
  }

  #tick(): void {
    this.#second++;
    for (const [tenant, activity] of this.#activities) {
      activity.tick();
      if (activity.idleSeconds > keepSeconds) this.#activities.delete(tenant);
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
  /** For which nobody has asked for anything. */
  idleSeconds = 0;
  #seconds = 0;
  /** Of its requests, milliseconds and tokens. */
  readonly firsts = new Recent();
  readonly prompts = new Recent();
  readonly cached = new Recent();

  /** The next second begins. */
  tick(): void {
    const at = this.#seconds++ % rateSeconds;
    this.idleSeconds = this.calls > 0 ? 0 : this.idleSeconds + 1;
    this.#outputs[at] = this.output;
    this.#inputs[at] = this.input;
    this.output = 0;
    this.input = 0;
  }

  lately(): { output: number; computed: number } {
    const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
    const output = sum(this.#outputs);
    return { output, computed: output + Math.max(0, sum(this.#inputs)) };
  }

  since(second: number): Pick<TenantFigures, 'firstTokenMs' | 'cachedShare'> {
    const times = this.firsts.since(second).sort((a, b) => a - b);
    const quantile = (q: number) => times[Math.ceil(q * times.length) - 1]!;
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    const prompt = sum(this.prompts.since(second));
    return {
      firstTokenMs: times.length === 0 ? undefined : { p50: quantile(0.5), p95: quantile(0.95) },
      cachedShare: prompt === 0 ? 0 : sum(this.cached.since(second)) / prompt,
    };
  }
}

/** The last values and when they came, in rings: lists of numbers leave no garbage. */
class Recent {
  readonly #seconds: number[] = [];
  readonly #values: number[] = [];
  #count = 0;

  add(second: number, value: number): void {
    const at = this.#count++ % mostRequests;
    this.#seconds[at] = second;
    this.#values[at] = value;
  }

  since(second: number): number[] {
    return this.#values.filter((_, i) => this.#seconds[i]! >= second);
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
    const settle: Reservation['settle'] = (status, wanted) => {
      if (!settled) activity.calls--;
      settled = true;
      return reservation.settle(status, wanted);
    };
    activity.calls++;
    return { maxTokens: reservation.maxTokens, count, settle };
  };
  return Object.assign(Object.create(meter) as Meter, { reserve });
}

/** Tokens of the prompt that the cache had not. What it had is known at the end: until then all of them. */
const computed = ({ promptTokens, cachedTokens }: EngineUsage): number => promptTokens - cachedTokens;
