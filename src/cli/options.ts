import { InvalidArgumentError } from 'commander';
import { type DeviceChoice, deviceRefusal, isDeviceChoice } from '../backend/device.ts';
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

export function device(text: string): DeviceChoice {
  if (isDeviceChoice(text)) return text;
  throw new InvalidArgumentError(`${deviceRefusal(text)}.`);
}

export const gpuLayers = number(ranges.gpuLayers);

/** What `--gpu-layers` is for, in every command's help. */
export const gpuLayersHelp = 'layers on a GPU, the others on the CPU; 0: none (default: as many as fit)';

/** What `--device` is for, in every command's help. */
export const deviceHelp = 'auto, cpu, gpu or gpu:N (default: auto, a GPU that passes the self-test, else the CPU)';
