import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { RealmError } from '../errors.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import type { MeteredModel } from './metered-model.ts';
import type { LoadingOptions, LoadsOptions, ModelLoader } from './model-loads.ts';
import { ModelMemory } from './model-memory.ts';
import { ModelRegistry } from './model-registry.ts';
import type { ModelDefinition, ModelSlot } from './model-slot.ts';

/** An engine that is nothing but open or closed. */
class Engine {
  readonly info: { readonly onGpu?: boolean; readonly device?: string };
  readonly ended: AbortSignal;
  readonly #end = new AbortController();
  readonly #onClose: () => void;
  memory: object;

  constructor(memory: object, onClose: () => void) {
    this.memory = { weights: 10, kvCache: 0, work: 1, ...memory };
    this.info = 'gpu' in memory ? { onGpu: true, device: 'gpu:0' } : {};
    this.ended = this.#end.signal;
    this.#onClose = onClose;
  }

  stats = async () => ({ memory: this.memory });

  async close(): Promise<void> {
    await turn();
    this.end('shutting_down');
  }

  end(code: 'shutting_down' | 'engine_failed'): void {
    if (this.ended.aborted) return;
    this.#onClose();
    this.#end.abort(new RealmError(code, 'it ended'));
  }
}

/** Loads engines that take 10 bytes each. */
class Loader implements ModelLoader {
  readonly loaded: string[] = [];
  readonly closed: string[] = [];
  error: Error | undefined;
  /** Of engines from now on. */
  memory = {};
  onRestarted = () => {};
  /** Holds loads back. */
  gate: Promise<void> | undefined;
  open = 0;
  most = 0;

  async need(): Promise<number> {
    return 10;
  }

  async load({ id }: ModelSlot, { onRestarted }: LoadingOptions): ReturnType<ModelLoader['load']> {
    this.onRestarted = onRestarted;
    await this.gate;
    await turn();
    if (this.error) throw this.error;
    this.loaded.push(id);
    this.most = Math.max(this.most, ++this.open);
    const engine = new Engine(this.memory, () => {
      this.open--;
      this.closed.push(id);
    });
    return { id, engine, created: 1, defaults: {}, template: {} } as unknown as MeteredModel;
  }
}

interface Wanted extends Omit<LoadsOptions, 'loader' | 'memory'> {
  readonly places?: number;
  readonly nestedMs?: number;
  readonly of?: Partial<ModelDefinition>;
}

function registryOf(ids: string, { places, of, ...options }: Wanted = {}) {
  const loader = new Loader();
  const memory = new ModelMemory(places === undefined ? undefined : places * 10);
  const models = new ModelRegistry({ loader, memory, retryMs: 20, patienceMs: 5, ...options });
  const slots = [...ids].map((id, i) => {
    const definition = { id, entry: {}, source: 'file', load: 'demand', pinned: false, aliases: [], ...of } as const;
    return models.add(definition, i as ModelId);
  });
  return { models, loader, slots, a: slots[0]!, b: slots[1]! };
}

const failsWith = (code: string) => (error: unknown) => (error as RealmError).code === code;

test('many requests at once load a model once, and each has it', async () => {
  const { models, loader, a } = registryOf('a');
  const leases = await Promise.all(Array.from({ length: 50 }, () => models.lease(a)));
  assert.deepEqual([loader.loaded, a.leases, a.state], [['a'], 50, 'ready']);
  for (const lease of leases) {
    lease.release();
    lease.release();
  }
  assert.deepEqual([a.leases, a.waiting], [0, 0]);
});

test('the idle model that was used longest ago goes for another; a pinned one and one that requests have do not', async () => {
  const { models, loader, slots } = registryOf('abcd', { places: 3 });
  const [a, b, c, d] = slots as [ModelSlot, ModelSlot, ModelSlot, ModelSlot];
  models.update(a, { pinned: true });
  for (const slot of [a, b]) (await models.lease(slot)).release();
  const held = await models.lease(c);
  await turn();
  (await models.lease(d)).release();
  assert.deepEqual([loader.closed, loader.most], [['b'], 3]);
  (await models.lease(b)).release();
  assert.deepEqual(loader.closed, ['b', 'd']);
  held.release();
  await models.close();
  assert.equal(loader.open, 0);
});

test('where all are in use, the next waits; one that is never idle takes no more requests after a while', async () => {
  const { models, loader, a, b } = registryOf('ab', { places: 1, patienceMs: 20 });
  const first = await models.lease(a);
  const waiting = models.lease(b);
  await turn();
  // Before the patience is over others still get it.
  const second = await models.lease(a);
  first.release();
  while (!a.yielding) await turn();
  const third = models.lease(a);
  assert.deepEqual([loader.closed, a.leases, a.waiting], [[], 1, 1]);
  second.release();
  (await waiting).release();
  (await third).release();
  assert.deepEqual([loader.loaded, loader.most], [['a', 'b', 'a'], 1]);
});

test('a load that nobody waits for any more takes nobody away', async () => {
  const { models, loader, a, b } = registryOf('ab', { places: 1, patienceMs: 60_000 });
  const held = await models.lease(a);
  const leave = new AbortController();
  const waiting = models.lease(b, { signal: leave.signal });
  await turn();
  leave.abort(new RealmError('deadline_exceeded', 'late'));
  await assert.rejects(waiting, failsWith('deadline_exceeded'));
  while (b.loading) await turn();
  held.release();
  assert.deepEqual([loader.closed, b.state, a.state], [[], 'unloaded', 'ready']);
  (await models.lease(b)).release();
  assert.deepEqual(loader.closed, ['a']);
});

test('a request that has one model does not wait for ever for the place of its own', async () => {
  const { models, a, b } = registryOf('ab', { places: 1, nestedMs: 20 });
  const own = await models.lease(a);
  await assert.rejects(models.lease(b, { nested: true }), failsWith('model_unavailable'));
  own.release();
  (await models.lease(b, { nested: true })).release();
});

test('a model that fails to load is tried again after a time; its requests are told, others go on', async () => {
  const { models, loader, a, b } = registryOf('ab', { retryMs: 30 });
  loader.error = new RealmError('gguf_invalid', '/srv/a.gguf: is none');
  await assert.rejects(models.lease(a), {
    code: 'model_unavailable',
    retryAfter: 1,
    message: /a cannot.*gguf_invalid/,
  });
  assert.deepEqual([a.state, a.failure?.error.message], ['failed', '/srv/a.gguf: is none']);
  await assert.rejects(models.load(a), failsWith('gguf_invalid'));
  loader.error = undefined;
  await assert.rejects(models.lease(a), failsWith('model_unavailable'));
  (await models.lease(b)).release();
  await models.load(a);
  assert.deepEqual([a.state, a.failure], ['ready', undefined]);
});

test('an engine that ends is loaded again when it is wanted', async () => {
  const { models, loader, a } = registryOf('a', { retryMs: 10 });
  const held = await models.lease(a);
  (held.model.engine as unknown as Engine).end('engine_failed');
  assert.equal(a.state, 'failed');
  await assert.rejects(models.lease(a), failsWith('engine_failed'));
  await new Promise(resolve => setTimeout(resolve, 20));
  (await models.lease(a)).release();
  held.release();
  assert.deepEqual([a.state, a.leases, loader.loaded], ['ready', 0, ['a', 'a']]);
});

test('a model goes after its time without requests, unless it is pinned', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { models, a, b } = registryOf('ab', { of: { idleMs: 1000 } });
  const held = await models.lease(a);
  models.update(b, { pinned: true });
  (await models.lease(b)).release();
  t.mock.timers.tick(5000);
  assert.deepEqual([a.state, b.state], ['ready', 'ready']);
  held.release();
  t.mock.timers.tick(999);
  assert.equal(a.state, 'ready');
  t.mock.timers.tick(1);
  assert.deepEqual([a.state, b.state], ['unloaded', 'ready']);
});

test('unloading waits for those that have it; who comes meanwhile has it loaded again', async () => {
  const { models, loader, a } = registryOf('a');
  const held = await models.lease(a);
  const unloading = models.unload(a);
  const later = models.lease(a);
  await turn();
  assert.deepEqual([a.state, loader.closed], ['ready', []]);
  held.release();
  await unloading;
  (await later).release();
  assert.deepEqual([loader.loaded, loader.closed], [['a', 'a'], ['a']]);
});

test('unloading a model that is being loaded lets those that waited have it', async () => {
  const { models, loader, a } = registryOf('a');
  const waiting = models.lease(a);
  const unloading = models.unload(a);
  const got = await waiting;
  await turn();
  assert.equal(got.model.engine.ended.aborted, false);
  got.release();
  await unloading;
  assert.deepEqual([loader.loaded, loader.closed], [['a'], ['a']]);
});

test('a removed model is found no more, and neither its name nor its number is in the way', async () => {
  const { models, a } = registryOf('ab', { of: {} });
  const held = await models.lease(a);
  const removing = models.remove(a);
  assert.deepEqual([models.find('a'), models.at(0 as ModelId), models.all.length], [undefined, undefined, 1]);
  await assert.rejects(models.lease(a), failsWith('model_not_found'));
  models.add({ ...a.definition }, 2 as ModelId);
  held.release();
  await removing;
  assert.equal(models.find('a')?.modelId, 2);
});

test('names and aliases are one space', () => {
  const { models, a, b } = registryOf('ab');
  models.update(a, { aliases: ['fast', 'gpt'] });
  assert.equal(models.find('gpt'), a);
  for (const alias of ['a', 'fast'])
    assert.throws(() => models.update(b, { aliases: [alias] }), { code: 'model_exists' });
  models.update(a, { aliases: ['fast'] });
  models.update(b, { aliases: ['gpt'] });
  assert.throws(() => models.add({ ...a.definition, id: 'gpt', aliases: [] }, 5 as ModelId), { code: 'model_exists' });
});

test('a model larger than what all may have is refused with both numbers, and none goes for it', async () => {
  const { models, loader, a, b } = registryOf('ab', { places: 1 });
  models.update(a, { pinned: true });
  await models.load(a);
  await assert.rejects(models.load(b), { code: 'out_of_memory', message: /server\.memory_mb/ });
  assert.deepEqual(loader.closed, []);
});

test('what lies on a GPU takes no place here, and needs none the next time', async () => {
  const { models, loader, slots } = registryOf('abc', { places: 1 });
  const [a, b, c] = slots as [ModelSlot, ModelSlot, ModelSlot];
  loader.memory = { gpu: 11 };
  for (const slot of [a, b]) (await models.lease(slot)).release();
  assert.deepEqual([a.device, a.memory, a.gpuMemory, b.gpuMemory], ['gpu:0', 0, 11, 11]);
  loader.memory = {};
  (await models.lease(c)).release();
  assert.deepEqual([loader.closed, c.device, c.memory, c.gpuMemory], [[], 'cpu', 10, 0]);
  await models.unload(b);
  assert.deepEqual([b.device, b.gpuMemory], [undefined, 0]);
  loader.memory = { gpu: 11 };
  (await models.lease(b)).release();
  assert.deepEqual(loader.closed, ['b']);
});

test('layers that a GPU had no room for count here', async () => {
  const { models, loader, a, b } = registryOf('ab', { places: 1 });
  loader.memory = { gpu: 7 };
  (await models.lease(a)).release();
  assert.deepEqual([a.memory, a.gpuMemory], [4, 7]);
  loader.memory = {};
  (await models.lease(b)).release();
  assert.deepEqual(loader.closed, ['a']);
});

test('a model that is opened again on the processors counts here from then on', async () => {
  const { models, loader, a } = registryOf('a', { places: 2 });
  loader.memory = { gpu: 11 };
  const { model, release } = await models.lease(a);
  (model.engine as unknown as Engine).memory = { weights: 10, kvCache: 5, work: 1 };
  loader.onRestarted();
  await turn();
  assert.deepEqual([a.memory, a.gpuMemory], [15, 0]);
  release();
});

test('stopping ends what is loading and who waits', async () => {
  const { models, loader, a, b } = registryOf('ab');
  (await models.lease(a)).release();
  const gate = Promise.withResolvers<void>();
  loader.gate = gate.promise;
  const waiting = assert.rejects(models.lease(b), failsWith('shutting_down'));
  await turn();
  loader.error = new RealmError('shutting_down', 'stopped');
  gate.resolve();
  await models.close();
  await waiting;
  assert.equal(loader.open, 0);
});

test('whatever comes in whatever order: no more models than places, nobody loses one that he has, all get theirs', async () => {
  const request = fc.record({ model: fc.nat(3), after: fc.nat(20), for: fc.nat(20), leaves: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(request, { maxLength: 40 }), async (places, requests) => {
      const { models, loader, slots } = registryOf('abcd', { places, patienceMs: 1 });
      const turns = async (count: number) => {
        for (let i = 0; i < count; i++) await turn();
      };
      const run = async ({ model, after, for: time, leaves }: (typeof requests)[number]) => {
        await turns(after);
        const leave = new AbortController();
        const lease = models.lease(slots[model]!, { signal: leave.signal });
        if (leaves && time % 2 === 0) leave.abort(new RealmError('request_cancelled', 'left'));
        const got = await lease.catch(error => {
          if (!leave.signal.aborted) throw error;
        });
        if (!got) return;
        await turns(time);
        assert.equal(got.model.engine.ended.aborted, false);
        got.release();
      };
      await Promise.all(requests.map(run));
      assert.ok(loader.most <= places, `${loader.most} of ${places}`);
      await models.close();
      assert.equal(loader.open, 0);
    }),
    { numRuns: 100 },
  );
});
