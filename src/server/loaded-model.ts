import type { GenerateText } from '../engine/text-types.ts';
import type { Engine, Sampling } from '../engine/types.ts';
import type { TextModel } from './text/service.ts';

/** A model that requests can name: the engine and the text around it. */
export interface LoadedModel extends TextModel {
  readonly engine: Engine;
  readonly generate: GenerateText;
  /** Used by requests that do not say themselves. */
  readonly defaults: { readonly system?: string; readonly sampling?: Sampling };
  /** When it was loaded, seconds since 1970. */
  readonly created: number;
}
