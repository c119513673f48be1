/** How weights in digits of base 3 unpack to a block of a panel: digit after digit, even and odd bytes in lanes of 16 bits. */
import type { QuantFormat } from '../quant/format.ts';
import type { TritCodes } from '../quant/trits.ts';
import { i16x8, type Local, type V128, v128 } from './assembler.ts';
import { type Pair, pair, pairLocal, setPair, storePair } from './constants.ts';
import type { UnpackWeights } from './grid256.ts';
import { packedAt } from './layout.ts';

const threeTimes = (x: V128): V128 => i16x8.add(x, i16x8.shl(x, 1));

export function unpackTrits(format: QuantFormat, { trits }: TritCodes): UnpackWeights {
  return (f, w, panel, c) => {
    const parts = [pairLocal(f), pairLocal(f)] as const;
    const [even, odd] = parts;
    const each = (part: Pair<Local<'v128'>>, make: (half: 0 | 1) => V128) => setPair(f, part, pair(make));
    let first = 0;
    for (const { field, at, lanes, digits } of trits) {
      for (let word = 0; word < lanes / 4; word++) {
        const bytes = pair(h => v128.load(w, packedAt(format, field) + 8 * at + 32 * word + 16 * h));
        each(even, h => v128.and(bytes[h], c('byte')[h]));
        each(odd, h => i16x8.shrU(bytes[h], 8));
        for (let digit = 0; digit < digits; digit++) {
          for (const part of parts) each(part, h => threeTimes(part[h]));
          const values = pair(h => v128.or(i16x8.shrU(even[h], 8), i16x8.shl(i16x8.shrU(odd[h], 8), 8)));
          storePair(f, panel, values, 8 * (first + digit * lanes + 4 * word));
          for (const part of parts) each(part, h => v128.and(part[h], c('byte')[h]));
        }
      }
      first += lanes * digits;
    }
  };
}
