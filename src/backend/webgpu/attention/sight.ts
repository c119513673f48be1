/** How far a token sees: so many positions before its own and behind it, as far as its sequence has them. */
import type { AttentionOptions } from '../../backend.ts';

export interface Sight {
  readonly behind: number;
  readonly ahead: number;
}

/** Farther than any position; a position and that are no more than 32 bits hold. */
const everything = 2 ** 30;

export function sightOf({ window, twoWay }: Pick<AttentionOptions, 'window' | 'twoWay'>): Sight {
  if (!twoWay) return { behind: window ? window - 1 : everything, ahead: 0 };
  const half = window === undefined ? everything : Math.floor(window / 2);
  return { behind: half, ahead: half };
}
