/** The models and prompts whose logits are recorded bit for bit in test/fixtures/bits.json. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ArchitectureName, decoders } from '../../scripts/synthetic/architectures.ts';
import type { Mix } from '../../scripts/synthetic/mixes.ts';
import { syntheticBytes } from '../../scripts/synthetic/model.ts';
import { type Backend, type CacheType, pageTokens } from '../../src/backend/backend.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { parts } from '../../src/kernels/module.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Model } from '../../src/model/types.ts';
import type { QuantType } from '../../src/quant/types.ts';
import { logitsOf } from './logits.ts';

/** SHA-256 of a position's logits, for each of {@link positions}. */
export type Bits = readonly string[];

export interface RecordedModel {
  readonly title: string;
  readonly kvType: CacheType;
  readonly bytes: () => Uint8Array<ArrayBuffer>;
}

export const recordFile = 'test/fixtures/bits.json';
export const readRecord = (): Record<string, Bits> => JSON.parse(readFileSync(recordFile, 'utf8'));

/** The positions on record: what comes behind one does not change it, so one prompt of 300 serves those of 1 and 40 too. */
export const positions = [0, 39, 150, 299] as const;
const promptTokens = 300;

/** Prompts, as the ends of the pieces in which they are computed. All of them have the recorded bits. */
export const prompts = {
  '1 token': [1],
  '40 tokens': [40],
  '40 tokens in pieces': [7, 20, 21, 40],
  '300 tokens': [300],
  '300 tokens in pieces': [1, 40, 77, 151, 299, 300],
} as const;

const models = process.env.REALM_TEST_MODELS ?? '../shared/models';
const smol = join(models, 'SmolLM2-135M-Instruct.Q4_1.gguf');

const formats = parts.filter((part): part is QuantType => part !== 'common');

export const recordedModels: readonly RecordedModel[] = [
  ...withBothCaches('SmolLM2-135M-Instruct Q4_1', () => new Uint8Array(readFileSync(smol))),
  ...decoders.flatMap(name => withBothCaches(`${name} Q4_K_M`, synthetic(name))),
  ...formats.map(format => ({ title: `llama ${format}`, kvType: 'F16' as const, bytes: synthetic('llama', format) })),
];

/** Small, with its windows (64 tokens) passed and rows that no kernel's tile divides. */
function synthetic(architecture: ArchitectureName, quant: Mix = 'Q4_K_M'): () => Uint8Array<ArrayBuffer> {
  const layers = architecture === 'gemma3' ? 7 : architecture.startsWith('gemma4') ? 6 : 3;
  return () => syntheticBytes({ architecture, quant, with: { ffn: 256, vocab: 371, layers } });
}

function withBothCaches(title: string, bytes: () => Uint8Array<ArrayBuffer>): RecordedModel[] {
  return (['F16', 'Q8_0'] as const).map(kvType => ({ title: `${title}, ${kvType} cache`, kvType, bytes }));
}

export async function openRecorded({ title, kvType, bytes }: RecordedModel, backend: Backend): Promise<Model> {
  const file = await openGguf(memoryReader(bytes(), `${title}.gguf`));
  const sizes = { kvTokens: promptTokens, maxBatchTokens: promptTokens, maxOutputs: positions.length, stateSlots: 2 };
  const model = await loadModel(file, backend, { ...sizes, kvType });
  await file.close();
  return model;
}

/** The bits of the recorded positions that a prompt reaches, computed in pieces that end at `ends`. */
export async function bitsOf(model: Model, ends: readonly number[]): Promise<Bits> {
  const pages = Int32Array.from({ length: Math.ceil(promptTokens / pageTokens) }, (_, i) => model.pages - 1 - i);
  const bits: string[] = [];
  let [start, slot] = [0, 0];
  for (const end of ends) {
    const ids = Int32Array.from({ length: end - start }, (_, i) => ((start + i + 1) * 7919) % model.vocabSize);
    const outputs = Int32Array.from(positions.filter(at => at >= start && at < end).map(at => at - start));
    await model.run({
      tokens: ids.length,
      ids,
      positions: ids.map((_, i) => start + i),
      outputs,
      segments: [{ start: 0, count: ids.length, position: start, pages, slot, nextSlot: 1 - slot }],
    });
    for (const output of outputs.keys()) bits.push(digest(await logitsOf(model, output)));
    [start, slot] = [end, 1 - slot];
  }
  return bits;
}

function digest(logits: Float32Array): string {
  if (!logits.every(Number.isFinite)) throw new Error('logits that are not finite');
  return createHash('sha256').update(new Uint8Array(logits.slice().buffer)).digest('hex');
}
