/** The encoders whose states are recorded bit for bit beside the decoders' logits in test/fixtures/bits.json. */
import { createHash } from 'node:crypto';
import type { ArchitectureName } from '../../scripts/synthetic/architectures.ts';
import type { Mix } from '../../scripts/synthetic/mixes.ts';
import { syntheticBytes } from '../../scripts/synthetic/model.ts';
import { type Backend, pageTokens } from '../../src/backend/backend.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Model } from '../../src/model/types.ts';
import type { Bits } from './recorded-bits.ts';

export interface RecordedEncoder {
  readonly title: string;
  readonly bytes: () => Uint8Array<ArrayBuffer>;
}

/** Tokens of the texts on record. What comes behind a token changes it, so each has bits of its own. */
const lengths = [1, 40, 150, 300] as const;
const batchTokens = 512;

const encoders = ['bert', 'nomicBert', 'gemmaEmbedding'] as const satisfies ArchitectureName[];

export const recordedEncoders: readonly RecordedEncoder[] = encoders.flatMap(name =>
  (['F16', 'Q8_0', 'Q4_K_M'] as const).map(quant => ({ title: `${name} ${quant}`, bytes: synthetic(name, quant) })),
);

/** Rows that no kernel's tile divides. */
function synthetic(architecture: ArchitectureName, quant: Mix): () => Uint8Array<ArrayBuffer> {
  const shape = { ffn: 256, vocab: 371, layers: 3, context: batchTokens };
  return () => syntheticBytes({ architecture, quant, with: shape });
}

export async function openEncoder({ title, bytes }: RecordedEncoder, backend: Backend): Promise<Model> {
  const file = await openGguf(memoryReader(bytes(), `${title}.gguf`));
  const sizes = { kvTokens: 2 * batchTokens, maxBatchTokens: batchTokens, maxOutputs: 1 };
  const model = await loadModel(file, backend, sizes);
  await file.close();
  return model;
}

/** The bits of every text's states: `together` in one batch, the last text first, or one after the other. */
export async function textBits(model: Model, { together }: { together: boolean }): Promise<Bits> {
  if (!together) {
    const bits: string[] = [];
    for (const length of lengths) bits.push(...(await statesOf(model, [length])));
    return bits;
  }
  return (await statesOf(model, lengths.toReversed())).toReversed();
}

async function statesOf(model: Model, texts: readonly number[]): Promise<Bits> {
  const starts = texts.map((_, i) => texts.slice(0, i).reduce((sum, length) => sum + length, 0));
  const tokens = texts.reduce((sum, length) => sum + length, 0);
  let page = model.pages;
  await model.run({
    ...{ tokens, outputs: new Int32Array(0), states: true },
    ids: Int32Array.from(texts.flatMap(idsOf).map(id => id % model.vocabSize)),
    positions: Int32Array.from(texts.flatMap(length => [...Array(length).keys()])),
    segments: texts.map((count, i) => {
      const pages = Int32Array.from({ length: Math.ceil(count / pageTokens) }, () => --page);
      return { start: starts[i]!, count, position: 0, pages };
    }),
  });
  return Promise.all(texts.map((length, i) => digest(model, starts[i]!, length)));
}

const idsOf = (length: number): number[] => Array.from({ length }, (_, i) => (i + length) * 7919);

async function digest(model: Model, start: number, count: number): Promise<string> {
  const states = new Float32Array(count * model.width);
  await model.states(
    Int32Array.from({ length: count }, (_, i) => start + i),
    states,
  );
  if (!states.every(Number.isFinite)) throw new Error('states that are not finite');
  return createHash('sha256').update(new Uint8Array(states.buffer)).digest('hex');
}
