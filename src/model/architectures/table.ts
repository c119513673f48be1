import type { Architecture } from '../types.ts';
import { bert } from './bert.ts';
import { cohere2 } from './cohere2.ts';
import { commandR } from './command-r.ts';
import { deepseek2 } from './deepseek2.ts';
import { ernie4_5 } from './ernie4_5.ts';
import { ernie4_5Moe } from './ernie4_5-moe.ts';
import { exaone4 } from './exaone4.ts';
import { gemma } from './gemma.ts';
import { gemmaEmbedding } from './gemma-embedding.ts';
import { gemma2 } from './gemma2.ts';
import { gemma3 } from './gemma3.ts';
import { gemma4 } from './gemma4.ts';
import { glm4 } from './glm4.ts';
import { glm4moe } from './glm4moe.ts';
import { gptOss } from './gpt-oss.ts';
import { granite } from './granite.ts';
import { granitehybrid } from './granitehybrid.ts';
import { granitemoe } from './granitemoe.ts';
import { hunyuanDense } from './hunyuan-dense.ts';
import { hunyuanMoe } from './hunyuan-moe.ts';
import { lfm2 } from './lfm2.ts';
import { lfm2moe } from './lfm2moe.ts';
import { llama } from './llama.ts';
import { llama4 } from './llama4.ts';
import { mistral3 } from './mistral3.ts';
import { mistral4 } from './mistral4.ts';
import { nemotronH } from './nemotron_h.ts';
import { nemotronHMoe } from './nemotron_h_moe.ts';
import { nomicBert } from './nomic-bert.ts';
import { olmo2 } from './olmo2.ts';
import { olmoe } from './olmoe.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen2moe } from './qwen2moe.ts';
import { qwen2vl } from './qwen2vl.ts';
import { qwen3 } from './qwen3.ts';
import { qwen3moe } from './qwen3moe.ts';
import { qwen3next } from './qwen3next.ts';
import { qwen3vl } from './qwen3vl.ts';
import { qwen3vlmoe } from './qwen3vlmoe.ts';
import { qwen35 } from './qwen35.ts';
import { qwen35moe } from './qwen35moe.ts';
import { seed_oss } from './seed_oss.ts';
import { smollm3 } from './smollm3.ts';
import { starcoder2 } from './starcoder2.ts';

/** Every architecture Realm runs. Adding one is adding a file and a name here. */
export const architectures: readonly Architecture[] = [
  ...[llama, qwen2, qwen3, qwen3moe, phi3, gemma, gemma2, gemma3, gemma4, mistral3, smollm3, qwen3vl, qwen3vlmoe],
  ...[granite, granitemoe, qwen2moe, glm4, glm4moe, olmo2, exaone4, hunyuanDense, seed_oss, ernie4_5, ernie4_5Moe],
  ...[qwen2vl, llama4, cohere2, commandR, olmoe, starcoder2, hunyuanMoe, deepseek2, mistral4],
  ...[lfm2, lfm2moe, qwen35, qwen35moe, qwen3next, gptOss, nemotronH, nemotronHMoe, granitehybrid],
  ...[bert, nomicBert, gemmaEmbedding],
];
