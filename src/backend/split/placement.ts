/** Which of two backends has which part of a model. */

/** The first or the last of the two. */
export type Side = 0 | 1;

export interface Placement {
  /** Names what it makes of layers: pages of one name have their layers in one order. */
  readonly name: string;
  /** Where a tensor's matrix belongs; one that is used at both ends is on both. */
  matrix(tensor: string): Side | 'both';
  /** Where a layer's keys and values are. */
  layer(layer: number): Side;
}

const layerOf = (tensor: string): number | undefined => {
  const layer = /^blk\.(\d+)\./.exec(tensor)?.[1];
  return layer === undefined ? undefined : Number(layer);
};

/**
 * The first `border` layers and the embeddings on the first side, the others and the output on the last: a step crosses over once,
 * and what it crosses with is written to the GPU, which nobody waits for. `tied`: the embeddings are the output too.
 */
export function splitAt(border: number, tied: boolean): Placement {
  const layer = (index: number): Side => (index < border ? 0 : 1);
  return {
    name: `${border}`,
    layer,
    matrix(tensor) {
      const index = layerOf(tensor);
      if (index !== undefined) return layer(index);
      if (!tensor.startsWith('token_embd.')) return 1;
      // A factor of an adapter changes the embeddings alone.
      return tied && !tensor.includes('lora') ? 'both' : 0;
    },
  };
}

/** What there is to know of a model's tensors before it is split. */
export interface Splittable {
  readonly layers: number;
  /** Of all its weights. */
  readonly bytes: number;
  /** See {@link splitAt}. */
  readonly tied: boolean;
}

export function splittable(tensors: ReadonlyMap<string, { readonly bytes: number }>): Splittable {
  const layers = tensors.keys().reduce((most, name) => Math.max(most, 1 + (layerOf(name) ?? -1)), 0);
  const bytes = tensors.values().reduce((sum, tensor) => sum + tensor.bytes, 0);
  return { layers, bytes, tied: !tensors.has('output.weight') };
}
