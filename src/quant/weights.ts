import type { Codes, Parts } from './codes.ts';
import type { GridCodes, OddParts } from './grid-codes.ts';
import type { TritCodes } from './trits.ts';

/** How a block stores its weights: as codes of some bits each, in a codebook, in digits of base 3. */
export type Weights<F extends string = string> = Codes<F> | GridCodes<F> | TritCodes<F>;

/** How a block stores the integer scales of its parts. */
export type PartScales<F extends string = string> = Parts<F> | OddParts<F>;
