/** Looks into a model file without loading it: a name of the catalog, a GGUF file, or a URL of which only the head is read. */
import { inspect } from '../src/index.ts';

const { metadata, types, parameters, size, memory } = await inspect(process.argv[2] ?? 'smollm2-135m', {
  context: 4096,
});

const mega = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(`${metadata['general.architecture']}: ${(parameters / 1e6).toFixed(0)} million weights in ${mega(size)}`);
for (const [key, value] of Object.entries(metadata))
  if (typeof value !== 'object') console.log(`  ${key}: ${String(value).slice(0, 60).replaceAll('\n', ' ')}`);
for (const { type, count, bytes } of types) console.log(`${type}: ${count} tensors, ${mega(bytes)}`);
if (!('unknown' in memory))
  console.log(`in memory ${mega(memory.weights)}, and ${mega(memory.kvCache)} for ${memory.context} tokens of context`);
