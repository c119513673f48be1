import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../../errors.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { EngineEvent, GenerateRequest } from '../request.ts';
import type { Engine, EngineInfo, EngineStats } from '../types.ts';
import { RequestStreams } from '../worker/request-streams.ts';
import { BackOff } from './back-off.ts';
import { RestartingEngine, type SupervisionEvent } from './restarting-engine.ts';

const info = { context: 100, loadMs: 5 } as EngineInfo;
const request: GenerateRequest = {
  id: 'r',
  tenant: 't',
  prompt: [1, 2] as Token[],
  maxTokens: 3,
  sampling: { seed: 7 },
};
const usage = { promptTokens: 2, cachedTokens: 0, completionTokens: 3 };
const said = (token: number): EngineEvent => ({ kind: 'token', token: token as Token });
const end: EngineEvent = { kind: 'end', reason: 'length', usage };

/** An engine whose events a test delivers, and that dies when it is told to. */
class FakeEngine implements Engine {
  readonly info = { ...info };
  readonly requests: GenerateRequest[] = [];
  readonly cancelled: number[] = [];
  readonly adapters = new Map<string, string>();
  readonly streams = new RequestStreams({
    submit: (_, request) => void this.requests.push(request),
    cancel: id => {
      this.cancelled.push(id);
      this.say(id, { kind: 'end', reason: 'cancelled', usage });
    },
  });
  closed = false;
  readonly #ended = new AbortController();

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  submit(request: GenerateRequest, signal?: AbortSignal): AsyncIterable<EngineEvent> {
    return this.streams.stream(request, signal);
  }

  say(number: number, ...events: EngineEvent[]): void {
    this.streams.deliver(events.map(event => [number as never, event]));
  }

  die(): void {
    const error = new RealmError('engine_failed', 'died');
    this.#ended.abort(error);
    this.streams.fail(error);
  }

  async stats(): Promise<EngineStats> {
    return { pagesTotal: 4, steps: 3 } as EngineStats;
  }

  async loadAdapter(name: string, path: string): Promise<void> {
    if (path === 'gone') throw new RealmError('model_file_missing', 'gone');
    this.adapters.set(name, path);
  }

  async unloadAdapter(name: string): Promise<void> {
    this.adapters.delete(name);
  }

  async saveSession() {
    return { tokens: 1, computed: 0 };
  }

  async restoreSession() {
    return { tokens: 1, computed: 0 };
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.#ended.signal.aborted) return;
    const error = new RealmError('shutting_down', 'closed');
    this.#ended.abort(error);
    this.streams.fail(error);
  }
}

/** `failing`: how often opening fails after the first time. */
async function setUp({ failing = 0, openMs = 10_000 } = {}) {
  const engines: FakeEngine[] = [];
  const sizes: unknown[] = [];
  const events: SupervisionEvent[] = [];
  let left = failing;
  const open = async (size?: object) => {
    await sleep(5);
    sizes.push(size);
    if (engines.length > 0 && left-- > 0) throw new RealmError('out_of_memory', 'no memory');
    engines.push(new FakeEngine());
    return engines.at(-1)!;
  };
  const onEvent = (event: SupervisionEvent) => events.push(event);
  const engine = await RestartingEngine.start(open, { onEvent, openMs, backOff: new BackOff(5) });
  const began = async (engineNumber: number, requests: number) => {
    while ((engines[engineNumber]?.requests.length ?? 0) < requests) await sleep(1);
    return engines[engineNumber]!;
  };
  return { engine, engines, sizes, events, began };
}

const collect = (events: AsyncIterable<EngineEvent>) => Array.fromAsync(events);
const codeOf = (events: EngineEvent[]) => {
  const last = events.at(-1)!;
  return last.kind === 'error' ? last.code : last.kind;
};

test('what has not said anything is run again as it was; the rest goes on behind what it has said', async () => {
  const { engine, began, sizes, events } = await setUp();
  const [begun, waiting] = [collect(engine.submit(request)), collect(engine.submit({ ...request, id: 'w' }))];
  const first = await began(0, 2);
  first.say(0, said(5));
  await sleep(1);
  first.die();
  const second = await began(1, 2);
  const fresh = second.requests.findIndex(({ id }) => id === 'w');
  assert.deepEqual(second.requests[fresh], { ...request, id: 'w' });
  const { draft, firstMask, promptLogprobs, queueMs, ...rest } = second.requests[1 - fresh]!;
  assert.deepEqual(rest, { ...request, prompt: [1, 2, 5], answered: 1, maxTokens: 2 });
  assert.deepEqual([draft, firstMask, promptLogprobs, queueMs], [undefined, undefined, undefined, undefined]);
  const restUsage = { promptTokens: 3, cachedTokens: 3, completionTokens: 2 };
  second.say(1 - fresh, said(8), said(9), { kind: 'end', reason: 'length', usage: restUsage });
  const whole = { promptTokens: 2, cachedTokens: 2, completionTokens: 3 };
  assert.deepEqual(await begun, [said(5), said(8), said(9), { kind: 'end', reason: 'length', usage: whole }]);
  assert.ok(first.closed, 'its memory is free before the next one is opened');
  second.say(fresh, said(6), end);
  assert.deepEqual(await waiting, [said(6), end]);
  assert.equal(engine.ended.aborted, false);
  assert.deepEqual(engine.health(), { state: 'running', restarts: 1, circuit: 'closed', brownOut: 0 });
  assert.equal((await engine.stats()).restarts, 1);
  assert.equal(engine.info, second.info);
  assert.deepEqual(sizes, [undefined, { context: 100, kvTokens: 128 }]);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['died', 'restarted'],
  );
  await engine.close();
  assert.equal(engine.ended.reason.code, 'shutting_down');
  assert.ok(second.closed);
});

test('an answer that lacked only its end has it, and nothing is computed again', async () => {
  const { engine, engines, began } = await setUp();
  const answer = collect(engine.submit(request));
  const first = await began(0, 1);
  first.say(0, said(5), said(6), said(7));
  await sleep(1);
  first.die();
  const whole = { promptTokens: 2, cachedTokens: 0, completionTokens: 3 };
  assert.deepEqual((await answer).at(-1), { kind: 'end', reason: 'length', usage: whole });
  assert.deepEqual(engines.at(-1)!.requests, []);
  await engine.close();
});

test('again means once: who loses two engines fails', async () => {
  const { engine, began } = await setUp();
  const answer = collect(engine.submit(request));
  (await began(0, 1)).die();
  (await began(1, 1)).die();
  assert.equal(codeOf(await answer), 'engine_failed');
  await engine.close();
});

test('while none runs new requests and calls are refused with a time to come back', async () => {
  const { engine, engines } = await setUp();
  engines[0]!.die();
  assert.equal(engine.health().state, 'restarting');
  const [refusal] = await collect(engine.submit(request));
  assert.ok(refusal?.kind === 'error' && refusal.code === 'engine_unavailable' && refusal.retryAfter === 1);
  await assert.rejects(engine.stats(), { code: 'engine_unavailable' });
  await assert.rejects(engine.loadAdapter('a', 'a.gguf'), { code: 'engine_unavailable' });
  await engine.close();
});

test('opening is tried again, later each time; those that wait hear of the first failure', async () => {
  const { engine, engines, events, began } = await setUp({ failing: 2, openMs: 20 });
  const waiting = collect(engine.submit(request));
  (await began(0, 1)).die();
  assert.equal(codeOf(await waiting), 'out_of_memory');
  while (engines.length < 2) await sleep(5);
  await sleep(30);
  assert.deepEqual(
    events.map(event => (event.kind === 'circuit' ? event.state : event.kind)),
    ['died', 'not restarted', 'not restarted', 'open', 'restarted'],
  );
  // A death and two failures opened the circuit; it is half open now, and one answer closes it.
  assert.equal(engine.health().circuit, 'half-open');
  const answer = collect(engine.submit(request));
  (await began(1, 1)).say(0, said(1), end);
  assert.equal((await answer).length, 2);
  assert.equal(engine.health().circuit, 'closed');
  await engine.close();
});

test('refusals, bad requests, failures of a deadline and aborts never open the circuit', async () => {
  const { engine, began } = await setUp();
  const codes = ['queue_full', 'context_length_exceeded', 'queue_timeout', 'grammar_invalid', 'out_of_memory'] as const;
  for (let i = 0; i < 100; i++) {
    const code = codes[i % codes.length]!;
    const answer = collect(engine.submit(request));
    (await began(0, i + 1)).say(i, { kind: 'error', code, message: 'no' });
    assert.equal(codeOf(await answer), code);
  }
  for (let i = 100; i < 120; i++) {
    const leaving = new AbortController();
    const answer = collect(engine.submit(request, leaving.signal));
    await began(0, i + 1);
    leaving.abort();
    assert.equal(codeOf(await answer), 'end');
  }
  assert.equal(engine.health().circuit, 'closed');
  await engine.close();
});

test('failures of single steps open it, without a restart', async () => {
  const { engine, began, engines } = await setUp();
  for (let i = 0; i < 3; i++) {
    const answer = collect(engine.submit(request));
    (await began(0, i + 1)).say(i, { kind: 'error', code: 'engine_failed', message: 'NaN' });
    assert.equal(codeOf(await answer), 'engine_failed');
  }
  assert.equal(engine.health().circuit, 'open');
  assert.equal(codeOf(await collect(engine.submit(request))), 'engine_unavailable');
  assert.equal(engines.length, 1);
  await engine.close();
});

test('adapters are loaded again before anybody is answered; one whose file is gone is told of', async () => {
  const { engine, engines, events } = await setUp();
  await engine.loadAdapter('a', 'a.gguf');
  await engine.loadAdapter('b', 'b.gguf');
  await engine.unloadAdapter('b');
  await engine.loadAdapter('c', 'c.gguf');
  engines[0]!.die();
  while (engine.health().state !== 'running') await sleep(1);
  assert.deepEqual(
    [...engines[1]!.adapters],
    [
      ['a', 'a.gguf'],
      ['c', 'c.gguf'],
    ],
  );
  assert.ok(!events.some(({ kind }) => kind === 'adapter lost'));
  await engine.close();
});

test('who leaves while it waits for the next engine is not run', async () => {
  const { engine, began, engines } = await setUp();
  const leaving = new AbortController();
  const answer = collect(engine.submit(request, leaving.signal));
  (await began(0, 1)).die();
  await sleep(1);
  leaving.abort();
  assert.deepEqual(await answer, [
    { kind: 'end', reason: 'cancelled', usage: { promptTokens: 2, cachedTokens: 0, completionTokens: 0 } },
  ]);
  while (engine.health().state !== 'running') await sleep(1);
  assert.equal(engines[1]!.requests.length, 0);
  await engine.close();
});

test('closing while it is being opened leaves nothing open', async () => {
  const { engine, engines, began } = await setUp();
  const waiting = collect(engine.submit(request));
  (await began(0, 1)).die();
  await sleep(8);
  await engine.close();
  assert.equal(codeOf(await waiting), 'shutting_down');
  assert.ok(engines.every(({ closed }) => closed));
  assert.equal(codeOf(await collect(engine.submit(request))), 'shutting_down');
});

test('waits double, up to a minute; an engine that lived long begins a new row', () => {
  const backOff = new BackOff();
  assert.deepEqual(
    [0, 0, 0, 0].map(lived => backOff.next(lived)),
    [100, 200, 400, 800],
  );
  for (let i = 0; i < 20; i++) backOff.next(0);
  assert.equal(backOff.next(0), 60_000);
  assert.equal(backOff.next(60_000), 100);
});
