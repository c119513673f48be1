/**
 * Puts a LoRA adapter on a loaded model: the weights are there once, and each request says whether it wants the adapter.
 * This one is made of random numbers, so it only shows that the answer changes; llama.cpp's convert_lora_to_gguf.py makes real ones.
 */
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { syntheticAdapter } from '../scripts/synthetic/adapter.ts';
import { encodeGguf } from '../scripts/synthetic/gguf-writer.ts';
import { inspect, loadModel } from '../src/index.ts';

await using folder = await mkdtempDisposable(join(tmpdir(), 'realm-example-'));
const path = join(folder.path, 'random-lora.gguf');
const { tensors } = await inspect('smollm2-135m');
await writeFile(path, encodeGguf(syntheticAdapter(tensors, { rank: 4, strength: 2, tensors: /attn_[qv]/ })));

await using model = await loadModel('smollm2-135m');
await model.loadAdapter('random', path);

const question = 'Name the capital city of France.';
const [plain, adapted] = await Promise.all([
  model.chat(question, { maxTokens: 20 }),
  model.chat(question, { maxTokens: 20, adapter: 'random' }),
]);
console.log('the model:       ', plain.text);
console.log('with the adapter:', adapted.text);
