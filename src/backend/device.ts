/** Where a model is computed, as whoever loads it says. */
import { RealmError } from '../errors.ts';

/** `auto`: a GPU that passes the self-test, else the CPU; `gpu:1`: the second one. */
export type DeviceChoice = 'auto' | 'cpu' | 'gpu' | `gpu:${number}`;

export const isDeviceChoice = (value: unknown): value is DeviceChoice =>
  typeof value === 'string' && /^(auto|cpu|gpu(:\d{1,2})?)$/.test(value);

/** What is wrong with one, for whoever wrote it. */
export const deviceRefusal = (text: string): string =>
  `${JSON.stringify(text)} is no device; use auto, cpu, gpu or gpu:N`;

/** The number in `gpu:N`. */
export function gpuIndex(choice: DeviceChoice): number {
  if (!isDeviceChoice(choice)) throw new RealmError('invalid_request', deviceRefusal(choice), { param: 'device' });
  return Number(choice.split(':')[1] ?? 0);
}
