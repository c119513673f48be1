import type { RopeTable } from '../backend/backend.ts';
import type { LoadPart } from './hybrid.ts';
import { addProduct, attend, loadAttention } from './layers.ts';
import type { Loading } from './loading.ts';

interface PlainAttentionOptions {
  /** Absent: nothing tells positions apart but what a token can see. */
  readonly rope?: RopeTable | undefined;
  /** Factor on q·k. Default 1 / sqrt(headDim). */
  readonly scale?: number | undefined;
  /** Factor on what it adds to the stream. */
  readonly residual?: number | undefined;
}

/** Llama's attention. */
export function plainAttention(loading: Loading, { rope, scale, residual }: PlainAttentionOptions = {}): LoadPart {
  const { heads, headDim } = loading.config;
  const options = { heads, scale: scale ?? 1 / Math.sqrt(headDim) };
  return async prefix => {
    const weights = await loadAttention(loading, prefix);
    return (step, layer) => {
      attend(step, layer, weights, rope, options);
      addProduct(step, weights.output, step.work.mixed, residual);
    };
  };
}
