import { RealmError } from '../errors.ts';
import type { Token } from '../tokenizer/types.ts';
import { errorOf } from '../engine/request-streams.ts';
import type { Engine, EngineUsage } from '../engine/types.ts';

export interface EmbeddingRequest {
  readonly id: string;
  readonly tenant: string;
  readonly tokens: readonly Token[];
  readonly adapter?: string;
}

export interface Embedding {
  /** Of length 1. [width] */
  readonly values: Float32Array;
  readonly usage: EngineUsage;
}

/** The embedding of one text. Throws what the engine reports, and `request_cancelled`. */
export async function embed(engine: Engine, request: EmbeddingRequest, signal?: AbortSignal): Promise<Embedding> {
  const asked = { ...request, embed: true, maxTokens: 1, sampling: {}, stopTokens: [] };
  for await (const event of engine.submit(asked, signal)) {
    if (event.kind === 'error') throw errorOf(event);
    if (event.kind === 'end' && event.embedding) return { values: event.embedding, usage: event.usage };
  }
  throw new RealmError('request_cancelled', 'the request was cancelled');
}
