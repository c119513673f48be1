import type { CatalogEntry } from '../types.ts';
import { GB, pinned } from './entry.ts';

const apache = 'Apache-2.0';

/** Models for search: of texts they make embeddings, or say how well a text answers a query. */
export const searchModels: readonly CatalogEntry[] = [
  pinned(
    {
      name: 'all-minilm-l6-v2',
      description: 'all-MiniLM-L6-v2, Q8_0: embeddings of 384 numbers of short English texts; tiny and quick.',
      architecture: 'bert',
      licence: apache,
      memory: 0.3 * GB,
      context: 512,
      can: ['embeddings'],
    },
    'second-state/All-MiniLM-L6-v2-Embedding-GGUF',
    '544f204f2eaa2d71361ffc74d6df7170285b286a',
    'all-MiniLM-L6-v2-Q8_0.gguf',
    { size: 25_008_064, sha256: '263215c3cadd6e16740741a7624ab4cbb6c8e777688bd5331ecfbf5681c2f8ed' },
  ),
  pinned(
    {
      name: 'nomic-embed-text-v1.5',
      description:
        'nomic-embed-text v1.5, Q8_0: embeddings of 768 numbers, or fewer; wants search_query: and the like.',
      architecture: 'nomic-bert',
      licence: apache,
      memory: 0.5 * GB,
      context: 2048,
      can: ['embeddings'],
    },
    'nomic-ai/nomic-embed-text-v1.5-GGUF',
    '0188c9bf409793f810680a5a431e7b899c46104c',
    'nomic-embed-text-v1.5.Q8_0.gguf',
    { size: 146_146_432, sha256: '3e24342164b3d94991ba9692fdc0dd08e3fd7362e0aacc396a9a5c54a544c3b7' },
  ),
  pinned(
    {
      name: 'embeddinggemma-300m',
      description: 'EmbeddingGemma 300M, Q8_0: embeddings of 768 numbers, or fewer, in over a hundred languages.',
      architecture: 'gemma-embedding',
      licence: 'Gemma Terms of Use',
      memory: 0.7 * GB,
      context: 2048,
      can: ['embeddings'],
    },
    'ggml-org/embeddinggemma-300M-GGUF',
    '0f741b5a6585bd53aeb15cd1372c56f2a0f65e12',
    'embeddinggemma-300M-Q8_0.gguf',
    { size: 333_590_944, sha256: 'b5ce9d77a3fc4b3b39ccb5643c36777911cc4eb46a66962eadfa3f5f60490d63' },
  ),
  pinned(
    {
      name: 'mxbai-embed-large',
      description: 'mxbai-embed-large v1, F16: embeddings of 1,024 numbers of English texts up to 512 tokens.',
      architecture: 'bert',
      licence: apache,
      memory: 1 * GB,
      context: 512,
      can: ['embeddings'],
    },
    'mixedbread-ai/mxbai-embed-large-v1',
    'main',
    'gguf/mxbai-embed-large-v1-f16.gguf',
    { size: 669_603_712, sha256: '819c2adf5ce6df2b6bd2ae4ca90d2a69f060afeb438d0c171db57daa02e39c3d' },
  ),
  pinned(
    {
      name: 'qwen3-embedding-0.6b',
      description:
        'Qwen3 Embedding 0.6B, Q8_0: embeddings of 1,024 numbers, or fewer, of long texts in many languages.',
      architecture: 'qwen3',
      licence: apache,
      memory: 1.5 * GB,
      context: 32_768,
      can: ['embeddings'],
    },
    'Qwen/Qwen3-Embedding-0.6B-GGUF',
    '370f27d7550e0def9b39c1f16d3fbaa13aa67728',
    'Qwen3-Embedding-0.6B-Q8_0.gguf',
    { size: 639_150_592, sha256: '06507c7b42688469c4e7298b0a1e16deff06caf291cf0a5b278c308249c3e439' },
  ),
  pinned(
    {
      name: 'qwen3-reranker-0.6b',
      description: 'Qwen3 Reranker 0.6B, Q8_0: says how well each of many texts answers a query.',
      architecture: 'qwen3',
      licence: apache,
      memory: 1.5 * GB,
      context: 32_768,
      can: ['rerank'],
    },
    'ggml-org/Qwen3-Reranker-0.6B-Q8_0-GGUF',
    'a02f48bb4f057028298c21fa033da2b30d7742d5',
    'qwen3-reranker-0.6b-q8_0.gguf',
    { size: 639_153_184, sha256: '22c9979ce4fbcdc5acdc310c6641c32797eff1aa980b8f7a2db8a8ea23429a48' },
  ),
  pinned(
    {
      name: 'bge-m3',
      description:
        'BGE M3, Q8_0: embeddings of 1,024 numbers of texts up to 8,192 tokens, in over a hundred languages.',
      architecture: 'bert',
      licence: 'MIT',
      memory: 1 * GB,
      context: 8192,
      can: ['embeddings'],
    },
    'gpustack/bge-m3-GGUF',
    '2d48f1737679ad900d5c26c5aad5410e9c70fdca',
    'bge-m3-Q8_0.gguf',
    { size: 634_553_760, sha256: '950f4a8e5e19477a6d3c26d2f162233c20002c601f75e4b002e3239997821167' },
  ),
  pinned(
    {
      name: 'bge-reranker-v2-m3',
      description: 'BGE Reranker v2 M3, Q8_0: says how well each of many texts answers a query, in many languages.',
      architecture: 'bert',
      licence: apache,
      memory: 1 * GB,
      context: 8192,
      can: ['rerank'],
    },
    'gpustack/bge-reranker-v2-m3-GGUF',
    '3093af03b1a635e67b084b1d8c03c5f5e020fd05',
    'bge-reranker-v2-m3-Q8_0.gguf',
    { size: 635_676_416, sha256: 'a43c7c9b11a4c1517e5bf95151960e1621d1b72f7a493364b01e386cf1aaa1d3' },
  ),
];
