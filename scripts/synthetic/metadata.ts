import type { MetaValue } from './gguf-writer.ts';
import type { Shape } from './shapes.ts';

export const u32 = (value: number): MetaValue => ({ type: 'u32', value });
export const f32 = (value: number): MetaValue => ({ type: 'f32', value });

export const expertCounts = ({ experts = 8, expertsUsed = 2 }: Shape) => ({
  expert_count: u32(experts),
  expert_used_count: u32(expertsUsed),
});

/** Experts that say how wide they are. */
export const narrowExperts = (shape: Shape) => ({
  ...expertCounts(shape),
  expert_feed_forward_length: u32(shape.ffn),
});

/** Granite's, as its files have them. */
export const graniteFactors = () => ({
  'attention.scale': f32(0.11),
  embedding_scale: f32(12),
  residual_scale: f32(0.22),
  logit_scale: f32(8),
});
