import type { GenerateRequest } from '../engine/request.ts';
import { constraintOf } from '../llm/answer-constraint.ts';
import { decode } from '../llm/decode.ts';
import { markersIn } from '../llm/output-format.ts';
import { changedRequest, metadata, refusedToProgram } from '../llm/program/options.ts';
import { encodePrompt, parseChatDocument } from '../llm/prompt.ts';
import type { ProgramHost } from '../sandbox/types.ts';
import { finish } from '../tokenizer/steps.ts';
import type { LibraryRun } from './program-run.ts';
import { sequenceHost } from './sequence-host.ts';

/** The host side of a program's calls, on one model without a server. */
export function programHost(run: LibraryRun): ProgramHost {
  const { request } = run.asked;
  return {
    generate: async ({ modelId, prompt, adapter, options }, signal, onText) => {
      run.find(modelId);
      const own = { ...request, ...run.owned(), prompt, adapter: run.adapterOf(adapter) };
      try {
        await generate(run, changedRequest(own, options), signal, onText);
      } catch (error) {
        throw refusedToProgram(error, options);
      }
    },
    encode: async (modelId, text) => run.find(modelId).tokenizer.encode(text),
    decode: async (modelId, tokens) => finish(decode(run.find(modelId).tokenizer, tokens, false)),
    metadata: modelId => metadata(run.find(modelId)),
    find: async name => run.named(name),
    checkAdapter: async (modelId, name) => {
      run.find(modelId);
      run.adapterOf(name);
    },
    sequences: sequenceHost(run),
  };
}

/** One call of a program of ABI v1 to the model: encodes its prompt, and hands each token's text to `onText`. */
async function generate(
  run: LibraryRun,
  request: GenerateRequest<string>,
  signal: AbortSignal,
  onText: Parameters<ProgramHost['generate']>[2],
): Promise<void> {
  const { model, kind, tools } = run.asked;
  const { tokens, inReasoning } = encode(run, request.prompt);
  const own = kind === 'chat' && {
    constraint: constraintOf(model.format, tools, undefined, inReasoning),
    markers: markersIn(model.format, tools),
  };
  for await (const event of model.generate({ ...request, ...own, prompt: tokens }, signal)) {
    if (event.kind === 'end') {
      run.count(event.usage);
      run.noteEnd(event);
      return;
    }
    const room = event.text === '' ? undefined : onText(event.text);
    if (room) await room;
  }
}

/** The tokens of a prompt in the run's own form. */
function encode(run: LibraryRun, prompt: string) {
  const { model, kind } = run.asked;
  const { context } = model.engine.info;
  const encoded = finish(encodePrompt(model, kind === 'chat' ? parseChatDocument(prompt) : prompt, { context }));
  run.inReasoning ??= encoded.inReasoning;
  return encoded;
}
