import { RealmError } from '../errors.ts';
import type { Feature } from './backend.ts';

const words: Record<Feature, string> = {
  states: 'layers that keep a state of fixed size',
};

/** What is thrown for something that a backend cannot do, see {@link Traits.features}. */
export const lacking = (feature: Feature): RealmError =>
  new RealmError('kernel_unavailable', `no kernels for ${words[feature]} on this device; use --device cpu`);
