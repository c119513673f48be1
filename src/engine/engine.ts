import { RealmError } from '../errors.ts';
import type { Model } from '../model/types.ts';
import { EngineLoop } from './engine-loop.ts';
import type { EngineOptions } from './options.ts';
import { RequestStreams } from './request-streams.ts';
import type { Engine, EngineInfo } from './types.ts';

/** What is known of a model besides the model itself. */
export type ModelSource = Pick<EngineInfo, 'backend' | 'fileSize' | 'loadMs'>;

/** An engine in this thread; it owns the model and closes it. */
export function createEngine(model: Model, source: ModelSource, options: EngineOptions = {}): Engine {
  const streams = new RequestStreams({
    submit: (id, request) => loop.submit(id, request),
    cancel: id => loop.cancel(id),
  });
  const loop = new EngineLoop(model, options, deliveries => streams.deliver(deliveries));
  return {
    info: infoOf(model, source, loop),
    submit: (request, signal) => streams.stream(request, signal),
    stats: async () => loop.stats(),
    close: async () => {
      await loop.close();
      streams.fail(new RealmError('shutting_down', 'the engine was closed'));
    },
  };
}

export function infoOf(model: Model, source: ModelSource, loop: EngineLoop): EngineInfo {
  const { architecture, vocabSize, width, trainedContext } = model;
  return { architecture, vocabSize, width, trainedContext, context: loop.context, ...source };
}
