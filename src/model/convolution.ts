/** Causal convolutions over the last tokens: what files say of them, and what layers keep that have one. */
import type { StateShape } from '../backend/backend.ts';
import type { Keys } from './keys.ts';

/** Sizes of a convolution whose results change a matrix of each head. */
export interface ConvolvedSizes {
  /** Tokens that it is over. */
  readonly taps: number;
  /** Values of a token that are convolved. */
  readonly columns: number;
  /** Values of the convolution's state, which is followed by that of the heads. */
  readonly window: number;
}

/** As far as there are kernels. */
const mostTaps = 4;
/** Values of one layer's state: two orders of magnitude above the largest models'. */
const mostState = 1 << 26;

/** Tokens that the convolution is over. */
export const readTaps = (keys: Keys, key: string): number => keys.number(key, { min: 2, max: mostTaps, integer: true });

export function convolvedSizes(keys: Keys, columns: number): ConvolvedSizes {
  const taps = readTaps(keys, 'ssm.conv_kernel');
  return { taps, columns, window: (taps - 1) * columns };
}

/** What a layer keeps: the convolution's inputs before, and the `values` of all heads' matrices. */
export function convolvedState(keys: Keys, { window }: ConvolvedSizes, values: number): StateShape {
  const stateSize = window + values;
  if (stateSize <= mostState) return { stateSize };
  return keys.fail('ssm.state_size', `makes a state of ${stateSize} values a layer; ${mostState} are supported`);
}
