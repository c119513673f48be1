import type { GenerateRequest } from '../../engine/request.ts';
import type { Emitted } from '../../llm/program/emitted.ts';
import { changedRequest, metadata, refusedToProgram } from '../../llm/program/options.ts';
import type { ProgramHost } from '../../sandbox/types.ts';
import type { ChoiceContext } from './context.ts';
import { generate } from './generate.ts';
import { RunModels } from './run-models.ts';
import { sequenceHost } from './sequence-host.ts';
import { newRun } from './sequence-run.ts';
import type { Trace } from './trace.ts';

/** The host side of the program's calls, for one request. */
export function programHost(
  context: ChoiceContext,
  request: GenerateRequest<string>,
  trace: Trace,
  emitted: Emitted,
): ProgramHost {
  const { text } = context.services;
  const models = new RunModels(context);
  let calls = 0;
  const nextId = () => `${request.id}.${calls++}`;
  return {
    generate: async ({ modelId, prompt, adapter, options }, signal, onText) => {
      const model = await models.find(modelId);
      const own = { ...request, prompt, id: nextId(), adapter: models.adapterOf(modelId, adapter) };
      try {
        await generate(context, model, changedRequest(own, options), trace, signal, onText);
      } catch (error) {
        throw refusedToProgram(error, options);
      }
    },
    encode: async (modelId, content) => text.run('encode', await models.call(modelId), { text: content }),
    decode: async (modelId, tokens) => text.run('decode', await models.call(modelId), tokens),
    metadata: async modelId => metadata(await models.find(modelId)),
    find: async name => {
      const modelId = models.named(name);
      await models.find(modelId);
      return modelId;
    },
    checkAdapter: async (modelId, name) => void models.adapterOf(modelId, name),
    sequences: sequenceHost(newRun({ context, request, trace, models, emitted, nextId })),
  };
}
