/**
 * The words of a page of one layer, in the CPU's order (src/kernels/attention.ts): keys of all heads, then values of all heads. A
 * head's keys are [headDim][32 positions], its values [32 positions][headDim], of halves or of bytes; behind a head's bytes come
 * f32 scales, the keys' [headDim / 32][32 positions], the values' [32 positions][headDim / 32].
 */
import { RealmError } from '../../errors.ts';
import { type CacheType, type LayerShape, type PagedShape, pageTokens } from '../backend.ts';

export interface PageLayout {
  readonly kvHeads: number;
  readonly headDim: number;
  readonly type: CacheType;
  /** Numbers in a word: positions of a dimension's keys, dimensions of a position's values. */
  readonly inWord: 2 | 4;
  /** Words of a head's keys, and of its values. */
  readonly headWords: number;
  /** Words of a head's keys before their scales. */
  readonly scalesAt: number;
  readonly pageWords: number;
}

/** Throws `kernel_unavailable` for heads that no kernel takes. */
export function pageLayout({ kvHeads, headDim }: PagedShape, type: CacheType): PageLayout {
  if (headDim % (type === 'F16' ? 8 : 32) || headDim > 512)
    throw new RealmError(
      'kernel_unavailable',
      `no attention kernel for heads of ${headDim} in a ${type} cache on a GPU`,
    );
  const inWord = type === 'F16' ? 2 : 4;
  const scalesAt = (headDim * pageTokens) / inWord;
  const headWords = scalesAt + (type === 'F16' ? 0 : headDim);
  return { kvHeads, headDim, type, inWord, headWords, scalesAt, pageWords: 2 * kvHeads * headWords };
}

/** Bytes of a page over all layers. */
export function pageBytesIn(layers: readonly LayerShape[], type: CacheType): number {
  return layers.reduce((bytes, layer) => bytes + ('stateSize' in layer ? 0 : 4 * pageLayout(layer, type).pageWords), 0);
}
