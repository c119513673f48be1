/**
 * Writes a model with its layers repeated, where all but the first time they add nothing: it says what the model says, to the
 * bit of a zero added, at several times the cost. A target for its own draft model. `node scripts/deepen.ts IN OUT TIMES`
 */
import { openGguf } from '../src/gguf/open.ts';
import type { GgufValue, TensorInfo } from '../src/gguf/types.ts';
import { type MetaValue, type TensorPlan, writeGguf } from './synthetic/gguf-writer.ts';

const [from, to, times] = process.argv.slice(2);
const file = await openGguf(from!);
const layers = file.metadata.get(`${file.metadata.get('general.architecture')}.block_count`) as number;
const tensors: TensorPlan[] = [];
for (const tensor of file.tensors.values()) {
  const bytes = await file.readers[tensor.file]!.read(tensor.offset, tensor.bytes);
  const layer = /^blk\.(\d+)\.(.*)$/.exec(tensor.name);
  const copies = layer ? Number(times) : 1;
  for (let i = 0; i < copies; i++) {
    const name = layer ? `blk.${Number(layer[1]) + i * layers}.${layer[2]}` : tensor.name;
    tensors.push({
      ...planOf(tensor),
      name,
      bytes: () => [i > 0 && isOutput(tensor.name) ? bytes.map(() => 0) : bytes],
    });
  }
}
const metadata = new Map([...file.metadata].map(([key, value]) => [key, metaOf(key, value)] as const));
writeGguf(to!, { metadata, tensors });
await file.close();

function planOf({ shape, type }: TensorInfo): Pick<TensorPlan, 'shape' | 'type'> {
  return { shape, type };
}

/** What a layer adds to the stream goes through these. */
function isOutput(name: string): boolean {
  return name.includes('attn_output.') || name.includes('ffn_down.');
}

function metaOf(key: string, value: GgufValue): MetaValue {
  if (key.endsWith('.block_count')) return { type: 'u32', value: layers * Number(times) };
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'boolean') return { type: 'bool', value };
  if (typeof value === 'bigint') return { type: 'u64', value };
  if (typeof value === 'number') return { type: Number.isInteger(value) && value >= 0 ? 'u32' : 'f32', value };
  if (value instanceof Int32Array) return { array: 'i32', values: value };
  if (value instanceof Float32Array) return { array: 'f32', values: value };
  if (Array.isArray(value) && typeof value[0] === 'string') return { array: 'string', values: value as string[] };
  throw new Error(`${key}: its type is not written yet`);
}
