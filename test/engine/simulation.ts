import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { pageTokens } from '../../src/backend/backend.ts';
import { EngineLoop } from '../../src/engine/loop.ts';
import type { EngineOptions } from '../../src/engine/options.ts';
import type { EngineEvent, GenerateRequest, SequenceId, TokenLogprob } from '../../src/engine/request.ts';
import { prices } from '../../src/engine/scheduler/fairness.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { scriptedCompiler, sources } from './constraints.ts';
import { checkBooks } from './invariants.ts';
import { type Said, withWishes } from './program-wishes.ts';
import { Random } from './random.ts';
import { poison, ScriptedModel } from './scripted-model.ts';
import {
  adapterFile,
  expectedAnswer,
  expectedEmbedding,
  expectedLogits,
  expectedPromptLogprobs,
  expectedScores,
  promptOf,
  request,
} from './support.ts';
import { Turns } from './turns.ts';

/** What happened to a request, as far as its events tell. */
interface Fate extends Said {
  /** What was said of its prompt. */
  readonly prompt: TokenLogprob[];
  readonly scores: (readonly number[] | undefined)[];
  end: EngineEvent | undefined;
  cancelled: boolean;
  sawFailure: boolean;
  /** Of the adapter that its name stood for when it came. */
  readonly salt: number;
}

/** What a simulation went through, so that a run over many seeds can show that it met everything. */
export interface Tally {
  steps: number;
  ended: Record<string, number>;
  preemptions: number;
  cachedTokens: number;
  /** Requests that began in a copy of a page that another had begun. */
  forked: number;
  preemptedSteps: number;
  acceptedTokens: number;
  /** Constrained answers of two tokens or more that came to their end. */
  constrained: number;
  /** Prompt tokens of requests that went before an older one of their tenant. */
  overtakingTokens: number;
  /** Requests that went on behind another one's answer, and those of them that began in its last page. */
  continued: number;
  inTails: number;
}

const vocabSize = 32;
/** Answers of three tokens repeat themselves: what is drafted is often right. */
const onlyFew = Array.from({ length: vocabSize - 5 }, (_, i) => [(5 + i) as Token, -100] as const);
const stepLimit = 4000;

/**
 * One engine's life, all of it determined by the seed: size, options, tenants, arrivals, aborts, failures. Checks the
 * books after each step, and every answer against what the model alone would say.
 */
export async function simulate(seed: number): Promise<Tally> {
  const simulation = new Simulation(seed);
  await simulation.run();
  return simulation.tally();
}

class Simulation {
  readonly #random: Random;
  /** Of what programs ask: the lives without it stay the same. */
  readonly #wishes: Random;
  readonly #model: ScriptedModel;
  readonly #draft: ScriptedModel | undefined;
  readonly #options: EngineOptions & { maxWaiting: number; maxRunning: number; maxBatchedTokens: number };
  readonly #loop: EngineLoop;
  readonly #fates: Fate[] = [];
  #left: number;
  #steps = 0;
  #failing = false;
  /** Adapters that are loaded, and the salt of the next one. */
  readonly #adapters = new Map<string, number>();
  #salt = 1;
  readonly #turns = new Turns();
  #idle = Promise.withResolvers<void>();

  constructor(seed: number) {
    const random = new Random(seed);
    this.#random = random;
    this.#wishes = new Random(seed + 2 ** 31);
    // One in eight keeps states, one in five is a device's, one in seven guesses only what must come, one in three has rows for
    // more than the sequences that run: decided without a random number, so that other lives stay the same.
    const keepsStates = seed % 8 === 7;
    this.#left = random.int(4, 14);
    const maxBatchedTokens = random.int(8, 90);
    this.#options = {
      context: random.int(40, 260),
      maxRunning: random.int(1, Math.min(6, maxBatchedTokens - 1)),
      maxBatchedTokens,
      prefillChunk: random.int(1, 60),
      // The clock goes at random: so do the measured times, and the pieces.
      prefillMs: random.pick([1, 5, 40]),
      speculation: seed % 7 === 3 ? 'off' : 'lookup',
      maxWaiting: random.int(2, 6),
      weights: new Map([['t0', random.pick([0.5, 1, 3])]]),
      cacheQuota: random.pick([0, 0.25, 0.5, 1]),
      cacheFloor: random.pick([0, 0.25, 0.5]),
    };
    this.#model = new ScriptedModel({
      vocabSize,
      pages: random.int(3, 14),
      slots: keepsStates ? 2 + (seed % 9) : 0,
      distant: seed % 5 === 4,
      maxOutputs: seed % 3 === 2 ? 14 : 6,
      maxBatchTokens: 90,
      pooling: random.pick(['mean', 'cls', 'last', undefined]),
    });
    this.#model.beforeRun = () => this.#beforeRun();
    this.#model.beforeRead = () => this.#maybeCancel(0.01);
    const { pages } = this.#model;
    const noise = random.pick([0, 0.2, 0.9]);
    if (random.chance(0.5))
      this.#draft = new ScriptedModel({ vocabSize, pages, maxOutputs: 6, maxBatchTokens: 40, noise });
    if (this.#draft) this.#draft.beforeRun = () => this.#beforeRun();
    this.#loop = new EngineLoop(
      this.#model,
      this.#options,
      events => {
        for (const [id, event] of events) this.#hear(this.#fates[id]!, event);
      },
      {
        constraints: scriptedCompiler(),
        turn: async () => {
          await null;
          await this.#turn().catch(error => this.#giveUp(error));
        },
        draft: this.#draft,
        receive: () => {
          while (this.#left > 0 && this.#random.chance(0.3)) this.#arrive();
          this.#maybeCancel(0.01);
        },
        clock: () => this.#random.int(0, 9),
      },
    );
  }

  async run(): Promise<void> {
    for (const name of ['x', 'y']) await this.#changeAdapter(name);
    while (this.#left > 0) {
      this.#arrive();
      // Where a constraint is compiled, requests may end while the engine stands still.
      while (this.#open().length > 0) await Promise.race([this.#idle.promise, setImmediate()]);
      this.#idle = Promise.withResolvers<void>();
    }
    await this.#loop.close();
    assert.ok(this.#model.closed);
    assert.equal(this.#model.adapters.size, this.#adapters.size, 'an adapter leaked');
    for (const fate of this.#fates) this.#checkFate(fate);
    checkBooks(this.#loop, this.#options);
  }

  tally(): Tally {
    const ended: Record<string, number> = {};
    let cachedTokens = 0;
    let forked = 0;
    for (const { end } of this.#fates) {
      const reason = end!.kind === 'end' ? end!.reason : (end as EngineEvent & { kind: 'error' }).code;
      const how = end!.kind === 'end' && end!.embedding ? 'embedded' : reason;
      ended[how] = (ended[how] ?? 0) + 1;
      if (end!.kind !== 'end') continue;
      cachedTokens += end!.usage.cachedTokens;
      if (end!.usage.cachedTokens % pageTokens > 0) forked++;
    }
    return {
      steps: this.#steps,
      ended,
      preemptions: this.#loop.scheduler.preemptions,
      cachedTokens,
      forked,
      preemptedSteps: this.#loop.stats().preemptedSteps,
      acceptedTokens: this.#loop.stats().acceptedTokens,
      constrained: this.#fates.filter(isConstrained).length,
      overtakingTokens: this.#turns.overtaking,
      continued: this.#fates.filter(isContinued).length,
      inTails: this.#fates.filter(fate => isContinued(fate) && fate.end.usage.cachedTokens % pageTokens > 0).length,
    };
  }

  #open(): number[] {
    return this.#fates.flatMap(({ end }, id) => (end ? [] : [id]));
  }

  /** A check has failed: the engine gets no further turn. */
  #giveUp(error: unknown): Promise<never> {
    this.#idle.reject(error);
    return new Promise(() => {});
  }

  /** The engine's pause between steps: the world goes on. */
  async #turn(): Promise<void> {
    assert.ok(++this.#steps < stepLimit, 'the requests do not come to an end');
    checkBooks(this.#loop, this.#options);
    this.#checkFairness();
    this.#turns.check(this.#loop, this.#options.maxBatchedTokens);
    if (this.#random.chance(0.05)) await this.#changeAdapter(this.#random.pick(['x', 'y']));
    while (this.#left > 0 && this.#random.chance(0.3)) this.#arrive();
    this.#maybeCancel(0.015);
    if (this.#open().length === 0) this.#idle.resolve();
  }

  /** Inside a step: messages may arrive while the batch runs, and the backend may fail. */
  async #beforeRun(): Promise<void> {
    this.#maybeCancel(0.01);
    this.#failing = this.#random.chance(0.006);
    if (!this.#failing) return;
    for (const { id } of this.#loop.scheduler.running) this.#fates[id]!.sawFailure = true;
    throw new Error('the simulated backend failed');
  }

  /** Loads it, or takes it away from under those that use it. */
  async #changeAdapter(name: string): Promise<void> {
    if (this.#adapters.delete(name)) return void this.#loop.unloadAdapter(name);
    const salt = this.#salt++;
    await this.#loop.loadAdapter(name, adapterFile(salt));
    this.#adapters.set(name, salt);
  }

  #maybeCancel(chance: number): void {
    const open = this.#open();
    if (open.length === 0 || !this.#random.chance(chance)) return;
    const id = this.#random.pick(open);
    const fate = this.#fates[id]!;
    fate.cancelled = true;
    this.#loop.cancel(id as SequenceId);
    assert.ok(fate.end, 'a cancelled request ends at once');
  }

  #arrive(): void {
    this.#left--;
    const id = this.#fates.length;
    const asked = withWishes(this.#request(), this.#wishes, this.#fates, this.#loop.context);
    const salt = this.#adapters.get(asked.adapter ?? '') ?? 0;
    this.#fates.push({
      request: asked,
      prompt: [],
      tokens: [],
      scores: [],
      end: undefined,
      cancelled: false,
      sawFailure: false,
      salt,
    });
    this.#loop.submit(id as SequenceId, asked);
    // Now and then a client that goes away at once, or cancels what has ended.
    if (this.#random.chance(0.02)) this.#loop.cancel(this.#random.int(0, id) as SequenceId);
    else return;
    for (const fate of this.#fates) fate.cancelled ||= fate.end?.kind === 'end' && fate.end.reason === 'cancelled';
  }

  #request(): GenerateRequest {
    const random = this.#random;
    // Few different prompts of one shape: prefixes repeat within and across tenants.
    const { context } = this.#loop;
    const longest = random.chance(0.05) ? context + 30 : random.pick([20, context >> 1, context - 1]);
    const tokens = promptOf(random.int(0, 1), random.int(Math.min(longest, 34), longest));
    if (random.chance(0.03)) tokens[random.int(0, tokens.length - 1)] = poison as (typeof tokens)[0];
    const maxTokens = random.int(random.chance(0.1) ? 0 : 1, random.pick([4, 70]));
    return request(random.int(0, 1000), 0, {
      tenant: `t${random.int(0, 2)}`,
      prompt: tokens,
      maxTokens,
      sampling: {
        temperature: random.pick([0, 1]),
        seed: random.int(0, 9),
        logitBias: random.chance(0.3) ? onlyFew : [],
      },
      stopTokens: random.chance(0.3) ? [5 as (typeof tokens)[0]] : [],
      priority: random.pick([0, 0, 1]),
      adapter: random.pick([undefined, undefined, 'x', 'y']),
      embed: random.chance(0.2),
      constraint: random.chance(0.3) ? random.pick(sources) : undefined,
      promptLogprobs: random.chance(0.2) ? random.int(0, 2) : undefined,
      minTokens: random.chance(0.2) ? Math.min(3, maxTokens) : 0,
    });
  }

  #hear(fate: Fate, event: EngineEvent): void {
    assert.equal(fate.end, undefined, 'an event after the end');
    if (event.kind === 'prompt') fate.prompt.push(...event.logprobs);
    else if (event.kind !== 'token') fate.end = event;
    else {
      fate.tokens.push(event.token);
      fate.scores.push(event.logprob?.scores);
    }
  }

  #checkFate({ request: asked, prompt, tokens, scores, end, cancelled, sawFailure, salt }: Fate): void {
    assert.ok(end?.kind === 'end' || end?.kind === 'error', 'no end');
    if (end.kind === 'error') {
      if (end.code === 'context_length_exceeded') assert.ok(asked.prompt.length >= this.#loop.context);
      else if (end.code === 'constraint_dead_end') assert.ok(asked.constraint ?? asked.firstMask);
      else if (end.code === 'adapter_not_found') assert.ok(asked.adapter !== undefined && salt === 0);
      else if (end.code === 'engine_failed') assert.ok(sawFailure || asked.prompt.includes(poison as never));
      else assert.equal(end.code, 'queue_full');
      return;
    }
    assert.equal(end.usage.promptTokens, asked.prompt.length);
    const stopped = end.reason === 'stop' && !asked.embed ? 1 : 0;
    assert.equal(end.usage.completionTokens, tokens.length + stopped);
    assert.ok(end.usage.cachedTokens < asked.prompt.length);
    if (asked.embed && end.reason === 'stop')
      return assert.deepEqual(end.embedding, expectedEmbedding(asked.prompt, this.#model.pooling as 'mean', salt));
    if (asked.prompt.includes(poison as never)) return assert.equal(end.reason, 'cancelled');
    if (asked.promptLogprobs === undefined) assert.equal(prompt.length, 0);
    else {
      const logprobs = expectedPromptLogprobs(asked, vocabSize, salt);
      assert.deepEqual(prompt, end.reason === 'cancelled' ? logprobs.slice(0, prompt.length) : logprobs);
    }
    assert.deepEqual(scores, expectedScores(asked, tokens, vocabSize, salt));
    assert.deepEqual(end.logits, rowBehind(asked, tokens, end.reason, salt));
    const expected = expectedAnswer(asked, vocabSize, this.#loop.context, salt);
    if (end.reason !== 'cancelled') return assert.deepEqual(tokens, expected);
    assert.ok(cancelled, 'ended as cancelled, but nobody did');
    assert.deepEqual(tokens, expected.slice(0, tokens.length));
  }

  /** Tenants that wait differ by no more than the running batch can add to one of them. */
  #checkFairness(): void {
    const { scheduler, context } = this.#loop;
    const waiting = ['t0', 't1', 't2'].filter(tenant => scheduler.queued(tenant) > 0);
    const served = waiting.map(tenant => scheduler.served(tenant));
    const lightest = Math.min(1, ...this.#options.weights!.values());
    const bound = (this.#options.maxRunning * context * prices.output) / lightest;
    assert.ok(Math.max(0, ...served) - Math.min(Infinity, ...served) <= bound, `served ${served}, bound ${bound}`);
  }
}

function rowBehind({ logits, prompt }: GenerateRequest, tokens: number[], reason: string, salt: number) {
  return logits && reason !== 'cancelled' ? expectedLogits([...prompt, ...tokens], vocabSize, salt) : undefined;
}

function isContinued(fate: Fate): fate is Fate & { end: EngineEvent & { kind: 'end' } } {
  return fate.request.answered !== undefined && fate.end?.kind === 'end' && fate.end.reason !== 'cancelled';
}

function isConstrained({ request: { constraint, embed }, tokens, end }: Fate): boolean {
  return constraint !== undefined && !embed && end?.kind === 'end' && end.reason === 'stop' && tokens.length > 1;
}
