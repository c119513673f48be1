import type { Backend } from '../backend/backend.ts';
import type { ModelConfig } from './config.ts';
import type { Keys } from './keys.ts';
import type { Tensors } from './tensors.ts';
import type { ModelOptions } from './types.ts';

/** A model while it is loaded: the file's keys and tensors, and where they go. */
export interface Loading {
  readonly backend: Backend;
  readonly options: ModelOptions;
  readonly keys: Keys;
  readonly config: ModelConfig;
  readonly tensors: Tensors;
}
