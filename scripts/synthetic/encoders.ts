/** The tensors of encoders: BERT's, with its variants. */
import type { EncoderRecipe, Part } from './recipe.ts';
import type { Shape } from './shapes.ts';

export function encoderParts(recipe: EncoderRecipe, shape: Shape): Part[] {
  const { width, vocab, context, layers } = shape;
  return [
    { name: 'token_embd.weight', shape: [width, vocab], kind: 'embedding' },
    { name: 'token_types.weight', shape: [width, 2], kind: 'table' },
    ...(recipe.positions ? [{ name: 'position_embd.weight', shape: [width, context], kind: 'table' } as const] : []),
    ...norm('token_embd_norm', width),
    ...Array.from({ length: layers }, (_, layer) => layerParts(recipe, shape, `blk.${layer}.`)).flat(),
    ...(recipe.ranks ? [...linear('cls', width, width, true), ...linear('cls.output', width, 1, true)] : []),
  ];
}

function layerParts(
  { fused, biases = false, gated }: EncoderRecipe,
  { width, heads, kvHeads, ffn }: Shape,
  prefix: string,
): Part[] {
  const kv = (kvHeads * width) / heads;
  const own = (name: string, from: number, to: number) => linear(`${prefix}${name}`, from, to, biases);
  return [
    ...(fused
      ? own('attn_qkv', width, width + 2 * kv)
      : [...own('attn_q', width, width), ...own('attn_k', width, kv), ...own('attn_v', width, kv)]),
    ...own('attn_output', width, width),
    ...norm(`${prefix}attn_output_norm`, width),
    ...(gated ? own('ffn_gate', width, ffn) : []),
    ...own('ffn_up', width, ffn),
    ...own('ffn_down', ffn, width),
    ...norm(`${prefix}layer_output_norm`, width),
  ];
}

function norm(name: string, width: number): Part[] {
  return [
    { name: `${name}.weight`, shape: [width], kind: 'norm' },
    { name: `${name}.bias`, shape: [width], kind: 'bias' },
  ];
}

function linear(name: string, from: number, to: number, biases: boolean): Part[] {
  const matrix: Part = { name: `${name}.weight`, shape: [from, to], kind: 'matrix' };
  return biases ? [matrix, { name: `${name}.bias`, shape: [to], kind: 'bias' }] : [matrix];
}
