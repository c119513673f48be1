import type { Field } from './fields.ts';

/**
 * Weights of three values, five to a byte: `lanes` bytes from `at` of the field on hold the first digits of as many weights, then
 * the second ones. The byte is the digits' fraction of 3^5, so multiplying by 3 moves the next digit above 256. Less 1.
 */
export interface TritCodes<F extends string = string> {
  readonly trits: readonly {
    readonly field: F;
    readonly at: number;
    readonly lanes: number;
    readonly digits: number;
  }[];
}

export function tritReader({ trits }: TritCodes, fields: Readonly<Record<string, Field>>) {
  return (bytes: Uint8Array, at: number, values: Int8Array): void => {
    let i = 0;
    for (const run of trits) {
      const from = at + (fields[run.field] as Field).offset + run.at;
      for (let digit = 0, power = 1; digit < run.digits; digit++, power *= 3)
        for (let lane = 0; lane < run.lanes; lane++)
          values[i++] = (((((bytes[from + lane] as number) * power) & 255) * 3) >> 8) - 1;
    }
  };
}
