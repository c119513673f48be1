import { InvalidArgumentError } from 'commander';

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

/** The bounds of options that several commands share. */
export const context = wholeNumber(64, 1 << 24);
export const threads = wholeNumber(1, 256);
