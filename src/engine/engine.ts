import { RealmError } from '../errors.ts';
import type { Model } from '../model/types.ts';
import type { EngineParts } from './engine-parts.ts';
import { EngineLoop } from './loop.ts';
import type { EngineOptions } from './options.ts';
import type { Engine, EngineInfo } from './types.ts';
import { RequestStreams } from './worker/request-streams.ts';

/** What is known of a model besides the model itself. */
export type ModelSource = Pick<EngineInfo, 'backend' | 'fileSize' | 'loadMs' | 'onGpu' | 'device' | 'remarks'>;

/** An engine in this thread; it owns the model and closes it. */
export function createEngine(
  model: Model,
  source: ModelSource,
  options: EngineOptions = {},
  parts: EngineParts = {},
): Engine {
  const streams = new RequestStreams({
    submit: (id, request) => loop.submit(id, request),
    cancel: id => loop.cancel(id),
  });
  const loop = new EngineLoop(model, options, events => streams.deliver(events), parts);
  const ended = new AbortController();
  return {
    info: infoOf(model, source, loop, options),
    ended: ended.signal,
    submit: (request, signal) => streams.stream(request, signal),
    stats: async () => loop.stats(),
    loadAdapter: (name, path) => loop.loadAdapter(name, path),
    unloadAdapter: name => loop.unloadAdapter(name),
    saveSession: (request, tokens) => loop.saveSession(request, tokens),
    restoreSession: request => loop.restoreSession(request),
    close: async () => {
      await loop.close();
      const error = new RealmError('shutting_down', 'the engine was closed');
      ended.abort(error);
      streams.fail(error);
    },
  };
}

export function infoOf(model: Model, source: ModelSource, { context }: EngineLoop, options: EngineOptions): EngineInfo {
  const { architecture, vocabSize, width, trainedContext } = model;
  const isAsked = options.context !== undefined || options.kvTokens !== undefined;
  const contextFrom = context === trainedContext ? 'training' : isAsked ? 'configuration' : 'memory';
  const makes = model.pooling === 'rank' ? 'scores' : model.encoder ? 'embeddings' : undefined;
  return { architecture, vocabSize, width, trainedContext, context, contextFrom, ...(makes && { makes }), ...source };
}
