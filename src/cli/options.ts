import { InvalidArgumentError } from 'commander';
import { type Bounds, isWithin, outside, ranges } from '../ranges.ts';

/** A parser for options that are numbers within bounds. */
export function number(range: Bounds): (text: string) => number {
  const written = range.integer ? /^\d+$/ : /\d/;
  return text => {
    const value = Number(text);
    if (written.test(text) && isWithin(value, range)) return value;
    throw new InvalidArgumentError(`${outside(text, range)}.`);
  };
}

/** The same for whole numbers. */
export const wholeNumber = (min: number, max: number) => number({ min, max, integer: true });

/** Any integer of 64 bits, to the last digit. */
export function seed(text: string): bigint {
  if (/^-?\d{1,20}$/.test(text) && isWithin(BigInt(text), ranges.seed)) return BigInt(text);
  throw new InvalidArgumentError(`${outside(text, ranges.seed)}.`);
}

/** The bounds of options that several commands share. */
export const context = number(ranges.context);
export const threads = wholeNumber(1, 256);
