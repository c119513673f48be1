import { RealmError } from '../errors.ts';
import { BF16 } from './bf16.ts';
import { F16 } from './f16.ts';
import { F32 } from './f32.ts';
import type { QuantFormat } from './format.ts';
import { ggmlTypeNames } from './ggml-types.ts';
import { IQ1_M } from './iq1_m.ts';
import { IQ1_S } from './iq1_s.ts';
import { IQ2_S } from './iq2_s.ts';
import { IQ2_XS } from './iq2_xs.ts';
import { IQ2_XXS } from './iq2_xxs.ts';
import { IQ3_S } from './iq3_s.ts';
import { IQ3_XXS } from './iq3_xxs.ts';
import { IQ4_NL } from './iq4_nl.ts';
import { IQ4_XS } from './iq4_xs.ts';
import { MXFP4 } from './mxfp4.ts';
import { NVFP4 } from './nvfp4.ts';
import { Q1_0 } from './q1_0.ts';
import { Q2_0 } from './q2_0.ts';
import { Q2_K } from './q2_k.ts';
import { Q3_K } from './q3_k.ts';
import { Q4_0 } from './q4_0.ts';
import { Q4_1 } from './q4_1.ts';
import { Q4_K } from './q4_k.ts';
import { Q5_0 } from './q5_0.ts';
import { Q5_1 } from './q5_1.ts';
import { Q5_K } from './q5_k.ts';
import { Q6_K } from './q6_k.ts';
import { Q8_0 } from './q8_0.ts';
import { Q8_K } from './q8_k.ts';
import { TQ1_0 } from './tq1_0.ts';
import { TQ2_0 } from './tq2_0.ts';

const table = {
  F32,
  F16,
  BF16,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  Q8_K,
  IQ4_NL,
  IQ4_XS,
  IQ3_S,
  IQ3_XXS,
  IQ2_S,
  IQ2_XS,
  IQ2_XXS,
  IQ1_S,
  IQ1_M,
  TQ1_0,
  TQ2_0,
  MXFP4,
  NVFP4,
  Q1_0,
  Q2_0,
};

type Name = keyof typeof table;

/** Every format that Realm computes with, by name. Adding one is adding a file and a name above. */
export const formats: { readonly [N in Name]: QuantFormat<N> } = table;

const byId: ReadonlyMap<number, QuantFormat<Name>> = new Map(Object.values(formats).map(format => [format.id, format]));

/** The format with ggml's type number `id`; any other is refused by ggml's name with `gguf_type_unknown`. */
export function formatOf(id: number): QuantFormat<Name> {
  const format = byId.get(id);
  if (format) return format;
  const name = ggmlTypeNames.get(id);
  const what = name ? `tensor type ${name} (${id}) is not supported` : `tensor type ${id} is not known`;
  const known = Object.keys(formats).join(', ');
  throw new RealmError('gguf_type_unknown', `${what}; use a file whose tensors are ${known}`);
}

/** Bytes that `elements` (a multiple of the block size) take in format `type`. */
export function byteLength(type: Name, elements: number): number {
  const { blockSize, blockBytes } = formats[type];
  return (elements / blockSize) * blockBytes;
}
