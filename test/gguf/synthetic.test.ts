/** Synthetic models: deterministic, weights of the announced size, and llama.cpp runs them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { getLlama, type Llama } from 'node-llama-cpp';
import { type ArchitectureName, decoders } from '../../scripts/synthetic/architectures.ts';
import { levelled } from '../../scripts/synthetic/blocks.ts';
import { type Mix, mixes } from '../../scripts/synthetic/mixes.ts';
import { type SyntheticOptions, syntheticBytes, writeSynthetic } from '../../scripts/synthetic/model.ts';
import type { Shape } from '../../scripts/synthetic/shapes.ts';
import { random } from '../../src/backend/parity/data.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { readerOf } from '../../src/gguf/reader-of.ts';
import { formats } from '../../src/quant/formats.ts';

const folder = mkdtempSync(join(tmpdir(), 'realm-synthetic-'));
let llama: Promise<Llama> | undefined;
after(async () => {
  await (await llama)?.dispose();
  rmSync(folder, { recursive: true });
});

test('the same options give the same bytes, another seed others', () => {
  assert.deepEqual(syntheticBytes(), syntheticBytes({ seed: 1 }));
  assert.notDeepEqual(syntheticBytes(), syntheticBytes({ seed: 2 }));
});

test('Q4_K_M mixes types as llama.cpp does', async () => {
  const file = await openGguf(memoryReader(syntheticBytes({ quant: 'Q4_K_M', with: { layers: 16 } })));
  const layersOf = (name: string, type: string) => {
    return Array.from({ length: 16 }, (_, i) => i).filter(
      i => file.tensors.get(`blk.${i}.${name}.weight`)!.type === type,
    );
  };
  // The first and last eighth, and every third between.
  for (const name of ['attn_v', 'ffn_down']) assert.deepEqual(layersOf(name, 'Q6_K'), [0, 1, 4, 7, 10, 13, 14, 15]);
  assert.equal(layersOf('attn_q', 'Q4_K').length, 16);
  assert.equal(file.tensors.get('output.weight')!.type, 'Q6_K');
  assert.equal(file.tensors.get('token_embd.weight')!.type, 'Q4_K');
  assert.equal(file.tensors.get('blk.3.attn_norm.weight')!.type, 'F32');
});

test('rows that are no multiple of 256 fall back as in llama.cpp', async () => {
  const odd = { width: 96, heads: 3, kvHeads: 3, ffn: 160 };
  const file = await openGguf(memoryReader(syntheticBytes({ quant: 'Q4_K_M', with: odd })));
  assert.equal(file.tensors.get('blk.0.attn_q.weight')!.type, 'Q5_0');
  assert.equal(file.tensors.get('output.weight')!.type, 'Q8_0');
});

describe('weights have mean 0 and the wanted deviation', () => {
  for (const quant of mixes.filter(mix => mix !== 'Q4_K_M')) {
    test(quant, async () => {
      const file = await openGguf(memoryReader(syntheticBytes({ quant })));
      const tensor = file.tensors.get('blk.0.ffn_down.weight')!;
      const values = new Float32Array(512 * 256);
      formats[tensor.type].decode(
        await readerOf(file, tensor.file).read(tensor.offset, tensor.bytes),
        values,
        values.length,
      );
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
      assert.ok(Math.abs(mean) < 0.02 * deviation, `mean ${mean}`);
      assert.ok(Math.abs(deviation * Math.sqrt(512) - 1) < 0.08, `deviation ${deviation}`);
    });
  }
});

/** The probability of the most likely next token, by llama.cpp. */
async function best(options: SyntheticOptions): Promise<number> {
  llama ??= getLlama({ gpu: false, build: 'never' });
  const path = join(folder, `${options.architecture}-${options.quant}.gguf`);
  writeSynthetic(path, options);
  const model = await (await llama).loadModel({ modelPath: path });
  const context = await model.createContext({ contextSize: 64, threads: 1 });
  const sequence = context.getSequence();
  const [bos, ...rest] = model.tokenize('the of and to it was with', true);
  const items = [bos, ...rest.slice(0, -1), [rest.at(-1)!, { generateNext: { probabilities: true } }] as const];
  const output = await sequence.controlledEvaluate(items as never);
  const [probability = Number.NaN] = output.at(-1)!.next.probabilities!.values();
  await model.dispose();
  return probability;
}

test('a block of any declared format is levelled to about the wanted deviation', () => {
  const next = random(3);
  for (const format of Object.values(formats).filter(({ integers }) => integers)) {
    const { blockSize, blockBytes } = format;
    const bytes = Uint8Array.from({ length: 64 * blockBytes }, () => next() * 256);
    for (let at = 0; at < bytes.length; at += blockBytes)
      levelled(format)(new DataView(bytes.buffer, at, blockBytes), 0.05);
    const values = new Float32Array(64 * blockSize);
    format.decode(bytes, values, values.length);
    const rms = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
    assert.ok(rms > 0.02 && rms < 0.1, `${format.name}: ${rms}`);
  }
});

/**
 * What llama.cpp takes of these: a layer of each kind, for it takes no cache of none; as many heads of keys as of queries;
 * V2-Lite, which it knows by its layers.
 */
const shapes: Partial<Record<ArchitectureName, Partial<Shape>>> = {
  nemotron_h: { layers: 3 },
  nemotron_h_moe: { layers: 3 },
  llama4: { layers: 4 },
  olmoe: { kvHeads: 4 },
  deepseek2: { layers: 27 },
};

describe('llama.cpp runs them, and their next token is neither certain nor arbitrary', () => {
  // llama.cpp has no matrices of Q8_K: it keeps activations in that format.
  const quants = mixes.filter((mix): mix is Mix => mix !== 'Q8_K');
  const cases: SyntheticOptions[] = [
    ...quants.map(quant => ({ architecture: 'llama' as const, quant })),
    ...decoders.slice(1).map(architecture => ({
      architecture,
      quant: 'Q4_K_M' as const,
      with: shapes[architecture] ?? {},
    })),
  ];
  for (const options of cases) {
    test(`${options.architecture} ${options.quant}`, async () => {
      const probability = await best(options);
      assert.ok(probability > 0.005 && probability < 0.95, `${probability}`);
    });
  }
});
