import { InvalidArgumentError } from 'commander';
import { isWithin, ranges } from '../ranges.ts';

/** A parser for options that are whole numbers within bounds. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** A parser for options that are numbers within bounds. */
export function realNumber(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most)) {
      throw new InvalidArgumentError(`must be a number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** Any integer of 64 bits, to the last digit. */
export function seed(text: string): bigint {
  if (/^-?\d{1,20}$/.test(text) && isWithin(BigInt(text), ranges.seed)) return BigInt(text);
  throw new InvalidArgumentError('must be an integer of 64 bits.');
}

/** The bounds of options that several commands share. */
export const context = wholeNumber(ranges.context.min, ranges.context.max);
export const threads = wholeNumber(1, 256);
