import { formats } from '../../src/quant/formats.ts';
import type { QuantType } from '../../src/quant/types.ts';
import type { Shape } from './shapes.ts';

/** One format for all matrices, or llama.cpp's mix of that name. */
export type Mix = QuantType | 'Q4_K_M' | 'UD-Q4_K_M' | 'MXFP4_MOE';

export const mixes: readonly Mix[] = [...(Object.keys(formats) as QuantType[]), 'Q4_K_M', 'UD-Q4_K_M', 'MXFP4_MOE'];

/** llama.cpp's number for the file type (general.file_type); it only describes. */
export const fileTypes: Readonly<Partial<Record<Mix, number>>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q8_0: 7,
  Q5_0: 8,
  Q5_1: 9,
  Q2_K: 10,
  Q3_K: 11,
  Q4_K: 14,
  Q4_K_M: 15,
  Q5_K: 16,
  'UD-Q4_K_M': 15,
  Q6_K: 18,
  IQ2_XXS: 19,
  IQ2_XS: 20,
  IQ3_XXS: 23,
  IQ1_S: 24,
  IQ4_NL: 25,
  IQ3_S: 26,
  IQ2_S: 28,
  IQ4_XS: 30,
  IQ1_M: 31,
  BF16: 32,
  TQ1_0: 36,
  TQ2_0: 37,
  MXFP4: 38,
  MXFP4_MOE: 38,
  NVFP4: 39,
  Q1_0: 40,
  Q2_0: 41,
};

/** What llama.cpp takes when rows are no multiple of 256 (tensor_type_fallback). */
const fallbacks: Readonly<Partial<Record<QuantType, QuantType>>> = {
  IQ1_M: 'IQ4_NL',
  IQ1_S: 'IQ4_NL',
  IQ2_S: 'IQ4_NL',
  IQ2_XS: 'IQ4_NL',
  IQ2_XXS: 'IQ4_NL',
  IQ3_S: 'IQ4_NL',
  IQ3_XXS: 'IQ4_NL',
  IQ4_XS: 'IQ4_NL',
  TQ1_0: 'Q4_0',
  TQ2_0: 'Q4_0',
  Q2_0: 'Q4_0',
  Q2_K: 'Q4_0',
  Q3_K: 'Q4_0',
  Q4_K: 'Q5_0',
  Q5_K: 'Q5_1',
  Q6_K: 'Q8_0',
};

/** The type of the matrix `name` with rows of `width`; facts from llama.cpp's llama-quant.cpp. */
export function typeOf(mix: Mix, name: string, width: number, shape: Shape): QuantType {
  const wanted =
    mix === 'Q4_K_M'
      ? q4km(name, shape)
      : mix === 'UD-Q4_K_M'
        ? dynamic(name, shape)
        : mix === 'MXFP4_MOE'
          ? mxfp4Moe(name)
          : mix;
  if (width % formats[wanted].blockSize === 0) return wanted;
  const type = fallbacks[wanted] ?? 'F16';
  return width % formats[type].blockSize === 0 ? type : 'F16';
}

function q4km(name: string, { layers, experts = 0, tied = false }: Shape): QuantType {
  if (name === 'output.weight' || (tied && name === 'token_embd.weight')) return 'Q6_K';
  const layer = Number(/^blk\.(\d+)\./.exec(name)?.[1]);
  const eight = experts === 8;
  if (name.includes('.attn_v.')) return eight ? 'Q8_0' : moreBits(layer, layers) ? 'Q6_K' : 'Q4_K';
  if (name.includes('.attn_k.')) return eight ? 'Q8_0' : 'Q4_K';
  if (name.includes('.attn_output.')) return eight ? 'Q5_K' : 'Q4_K';
  if (name.includes('.attn_qkv.')) return 'Q5_K';
  return name.includes('.ffn_down') && moreBits(layer, layers) ? 'Q6_K' : 'Q4_K';
}

/** As today's dynamic files of Unsloth: which matrix of which layer gets how many bits is measured, so there is no pattern. */
function dynamic(name: string, shape: Shape): QuantType {
  const layer = Number(/^blk\.(\d+)\./.exec(name)?.[1]);
  if (name.includes('.ffn_gate') || name.includes('.ffn_up'))
    return (['IQ3_S', 'IQ4_XS', 'Q4_K'] as const)[layer % 3] as QuantType;
  if (name.includes('.ffn_down')) return layer % 2 ? 'IQ4_XS' : 'Q5_K';
  return name.includes('.attn_') && layer % 4 === 1 ? 'Q5_K' : q4km(name, shape);
}

/** As gpt-oss's files are. */
const mxfp4Moe = (name: string): QuantType => (name.includes('_exps.') ? 'MXFP4' : 'Q8_0');

/** The layers that Q4_K_M spends more on: the first and the last eighth and every third between. */
function moreBits(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
}
