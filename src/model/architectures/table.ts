import type { Architecture } from '../types.ts';
import { gemma2 } from './gemma2.ts';
import { gemma3 } from './gemma3.ts';
import { gemma4 } from './gemma4.ts';
import { llama } from './llama.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';
import { qwen3moe } from './qwen3moe.ts';

/** Every architecture Realm runs. Adding one is adding a file and a name here. */
export const architectures: readonly Architecture[] = [llama, qwen2, qwen3, qwen3moe, phi3, gemma2, gemma3, gemma4];
