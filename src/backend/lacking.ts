import { RealmError } from '../errors.ts';
import type { Feature } from './backend.ts';

const words: Record<Feature, string> = {
  states: 'layers that keep a state of fixed size',
  sinks: 'attention with sinks',
  expertBiases: 'experts with biases',
  'two-way': 'attention to what follows a token, as encoders have it',
  latent: 'latent attention',
};

/** What is thrown for something that a backend cannot do, see {@link Traits.features}. */
export const lacking = (feature: Feature): RealmError =>
  new RealmError('kernel_unavailable', `no kernels for ${words[feature]} on this device; use --device cpu`);
