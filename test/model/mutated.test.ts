/**
 * Models of every architecture and format with a few mutations: each loads and computes, or is refused with what is wrong, within
 * a few seconds and with little more memory than the model would take. REALM_FUZZ_SEED and REALM_FUZZ_COUNT (for each architecture)
 * choose others.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ArchitectureName, recipes } from '../../scripts/synthetic/architectures.ts';
import { encodeGguf, type GgufModel } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import { random } from '../../src/backend/parity/data.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { RealmError } from '../../src/errors.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { describeModel, loadModel } from '../../src/model/load.ts';
import { formats } from '../../src/quant/formats.ts';
import type { QuantType } from '../../src/quant/types.ts';
import { cpuMs } from '../gguf/guarded-open.ts';
import { mutate } from './mutate.ts';

const seed = Number(process.env.REALM_FUZZ_SEED ?? 1);
const count = Number(process.env.REALM_FUZZ_COUNT ?? 6);

const limits = { kvTokens: 64, maxBatchTokens: 8, maxOutputs: 8, stateSlots: 2 };
const sizes = { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 3, interval: 3, context: 64, experts: 8 };
const mostBytes = 256 * 2 ** 20;
const mostMs = 10_000;

const types = Object.keys(formats) as QuantType[];

/** Rows are as long as the format's blocks: every format has its turn with every architecture. */
function whole(architecture: ArchitectureName, type: QuantType): GgufModel {
  const wide = Math.max(64, formats[type].blockSize);
  const layers = architecture.startsWith('gemma4') ? 6 : 3;
  const gemma4 = architecture.startsWith('gemma4') ? { window: 5, perLayerWidth: wide } : {};
  const shape = { ...sizes, layers, width: wide, ffn: Math.max(96, wide), latentWidth: wide, ...gemma4 };
  return syntheticModel({ architecture, quant: type, with: shape });
}

/** What became of a model: `ran`, or the code that it was refused with. */
async function outcomeOf(model: GgufModel): Promise<string> {
  try {
    const file = await openGguf(memoryReader(encodeGguf(model), 'mutated.gguf'));
    describeModel(file);
    const loaded = await loadModel(file, createReferenceBackend(), limits);
    const ids = Int32Array.of(5, 7, 9);
    const segments = [{ start: 0, count: 3, position: 0, pages: Int32Array.of(0), slot: 0, nextSlot: 1 }];
    const outputs = loaded.encoder ? new Int32Array(0) : Int32Array.of(2);
    await loaded.run({ tokens: 3, ids, positions: Int32Array.of(0, 1, 2), outputs, segments, states: true });
    await loaded.close();
    return 'ran';
  } catch (error) {
    assert.ok(error instanceof RealmError, `threw ${(error as Error).stack}`);
    assert.doesNotMatch(error.message, /[\p{Cc}\p{Cs}\u202e]/u);
    return error.code;
  }
}

const allocated = () => process.memoryUsage().arrayBuffers;

describe(`${count} mutated models of each architecture, seed ${seed}`, () => {
  const refusals = new Set(['model_invalid', 'gguf_invalid', 'gguf_limit']);
  for (const [number, architecture] of (Object.keys(recipes) as ArchitectureName[]).entries()) {
    test(architecture, async t => {
      const next = random(seed * 1009 + number);
      const outcomes: Record<string, number> = {};
      for (let i = 0; i < count; i++) {
        const type = types[(number + i) % types.length] as QuantType;
        const model = whole(architecture, type);
        if (i % types.length === 0) assert.equal(await outcomeOf(model), 'ran', 'before it is mutated');
        const [before, start] = [allocated(), cpuMs()];
        const outcome = await outcomeOf(mutate(next, model)).catch(error => {
          throw new Error(`seed ${seed}, model ${i}, ${type}: ${error.message}`, { cause: error });
        });
        const took = allocated() - before;
        assert.ok(took < mostBytes, `seed ${seed}, model ${i}, ${type}: ${outcome}, ${took} bytes`);
        assert.ok(cpuMs() - start < mostMs, `seed ${seed}, model ${i}, ${type}: ${cpuMs() - start} ms`);
        assert.ok(outcome === 'ran' || refusals.has(outcome), `seed ${seed}, model ${i}, ${type}: ${outcome}`);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      }
      t.diagnostic(JSON.stringify(outcomes));
    });
  }
});
