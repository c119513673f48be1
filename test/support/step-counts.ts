/** What steps cost, in numbers that are the same on every machine: the record is test/fixtures/step-counts.json. */

import { readFileSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import type { ArchitectureName } from '../../scripts/synthetic/architectures.ts';
import { syntheticBytes } from '../../scripts/synthetic/model.ts';
import type { WasmBackend } from '../../src/backend/wasm/backend.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { EngineLoop } from '../../src/engine/loop.ts';
import type { SequenceId } from '../../src/engine/request.ts';
import { resolveSampling } from '../../src/engine/sampling/sampling.ts';
import { EventBatcher } from '../../src/engine/worker/event-batcher.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Batch, Model } from '../../src/model/types.ts';
import { ScriptedModel } from '../engine/scripted-model.ts';
import { request } from '../engine/support.ts';

export interface StepCounts {
  readonly commands: number;
  /** Where the threads wait for each other. */
  readonly barriers: number;
  /** What the threads share out: rows, row groups, heads. */
  readonly items: number;
  /** Bytes of weights that matrix products go through, without those of a mixture's experts. */
  readonly weightBytes: number;
  /** The same for each token. */
  readonly weightBytesPerToken: number;
}

export interface StepRecord {
  /** By model and step. */
  readonly steps: { readonly [title: string]: StepCounts };
  /** From the engine's thread to the server's, by requests and milliseconds of a step. */
  readonly messages: { readonly [title: string]: number };
  /** That one step of 8 decoding sequences allocates in the engine's thread, from the batch to its tokens. */
  readonly allocatedBytes: number;
}

export const recordFile = 'test/fixtures/step-counts.json';
export const readRecord = (): StepRecord => JSON.parse(readFileSync(recordFile, 'utf8'));

const context = 128;
const pagesEach = context / 32;

async function openCounted(architecture: ArchitectureName, backend: WasmBackend): Promise<Model> {
  const bytes = syntheticBytes({ architecture, quant: 'Q4_K_M', with: { layers: 4 } });
  const file = await openGguf(memoryReader(bytes, `${architecture}.gguf`));
  return loadModel(file, backend, { kvTokens: 8 * context, maxBatchTokens: 128, maxOutputs: 14 });
}

/** One step of `sequences` sequences with `count` tokens each, behind `position` others. */
function stepOf(sequences: number, count: number, position: number): Batch {
  const tokens = sequences * count;
  const each = Array.from({ length: sequences }, (_, i) => i);
  const pagesOf = (i: number) => Int32Array.from({ length: pagesEach }, (_, page) => i * pagesEach + page);
  return {
    tokens,
    ids: Int32Array.from({ length: tokens }, (_, i) => 5 + i),
    positions: Int32Array.from({ length: tokens }, (_, i) => position + (i % count)),
    outputs: Int32Array.from(each, i => (i + 1) * count - 1),
    segments: each.map(i => ({ start: i * count, count, position, pages: pagesOf(i) })),
  };
}

const steps = {
  'decode 1': stepOf(1, 1, 40),
  'decode 8': stepOf(8, 1, 40),
  'prefill 128': stepOf(1, 128, 0),
} as const;

const architectures = ['llama', 'gemma3', 'qwen3moe'] as const satisfies readonly ArchitectureName[];

export async function countSteps(): Promise<StepRecord['steps']> {
  const counts: { [title: string]: StepCounts } = {};
  for (const architecture of architectures) {
    const backend = await createWasmBackend({ threads: 2 });
    const model = await openCounted(architecture, backend);
    for (const [title, batch] of Object.entries(steps)) {
      await model.run(batch);
      counts[`${architecture}, ${title}`] = countsOf(backend, batch.tokens);
    }
    await model.close();
  }
  return counts;
}

function countsOf(backend: WasmBackend, tokens: number): StepCounts {
  const commands = backend.commands();
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const products = commands.filter(({ operation }) => operation === 'product' || operation === 'panelProduct');
  const weightBytes = sum(products.map(({ fields }) => fields.groups! * fields.groupStride!));
  return {
    commands: commands.length,
    barriers: commands.filter(({ link }) => link === 'meet').length,
    items: sum(commands.map(({ items }) => items)),
    weightBytes,
    weightBytesPerToken: weightBytes / tokens,
  };
}

/** Messages for 8 requests of 100 tokens each, by how long a step takes on a clock that the steps alone move on. */
export async function countMessages(): Promise<StepRecord['messages']> {
  const messages: { [title: string]: number } = {};
  for (const stepMs of [5, 30]) messages[`8 requests of 100 tokens, ${stepMs} ms a step`] = await messagesOf(stepMs);
  return messages;
}

async function messagesOf(stepMs: number): Promise<number> {
  let now = 0;
  let messages = 0;
  let running = 8;
  const model = new ScriptedModel();
  model.beforeRun = () => {
    now += stepMs;
  };
  const ended = Promise.withResolvers<void>();
  const send = (events: readonly (readonly [number, { kind: string }])[]) => {
    messages++;
    running -= events.filter(([, { kind }]) => kind !== 'token').length;
    if (running === 0) ended.resolve();
  };
  const batcher = new EventBatcher(send, 40, () => now);
  const parts = { clock: () => now, receive: () => batcher.tick() };
  const loop = new EngineLoop(model, { speculation: 'off' }, events => batcher.put(events), parts);
  for (let id = 0; id < 8; id++) loop.submit(id as SequenceId, request(id, 5, { maxTokens: 100 }));
  await ended.promise;
  await loop.close();
  return messages;
}

/** Least of several rounds: until V8 has compiled everything, steps allocate more. */
export async function countAllocations(): Promise<number> {
  const [rounds, steps] = [12, 300];
  const model = await openCounted('llama', await createWasmBackend({ threads: 1, variant: 'plain' }));
  const history = { tokens: Array.from({ length: 41 }, (_, i) => i), length: 41, promptTokens: 30 };
  const spec = resolveSampling({ temperature: 0.7, topP: 0.9, seed: 1 }, model.vocabSize, 0);
  const rows = Array.from({ length: 8 }, () => ({ ...history, spec }));
  const batch = { ...stepOf(8, 1, 40), sampling: { rows } };
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = getHeapStatistics().total_allocated_bytes;
    for (let i = 0; i < steps; i++) {
      await model.run(batch);
      void model.tokens(8);
    }
    least = Math.min(least, (getHeapStatistics().total_allocated_bytes - before) / steps);
  }
  await model.close();
  return Math.round(least);
}
