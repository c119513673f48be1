import type { EngineEvent, GenerateRequest } from '../../../src/engine/request.ts';
import type { Engine } from '../../../src/engine/types.ts';
import { textGeneration } from '../../../src/llm/generate.ts';
import type { loadModel, ServedModel } from '../../../src/llm/load.ts';
import { openModelText } from '../../../src/llm/model-text.ts';
import type { Token } from '../../../src/tokenizer/types.ts';

/** Tokens of an answer that asks for no number. */
const usualTokens = 16;

/** An engine that answers at once, always the same: what remains is what the server costs. */
class ScriptedEngine implements Engine {
  readonly info: Engine['info'];
  readonly ended = new AbortController().signal;
  readonly #answer: Token;
  #completionTokens = 0;
  #promptTokens = 0;

  constructor(answer: Token, vocabSize: number) {
    this.#answer = answer;
    const [context, trainedContext, width] = [4096, 4096, 8];
    const numbers = { vocabSize, context, trainedContext, width, fileSize: 0, loadMs: 0 };
    this.info = { architecture: 'scripted', backend: 'script', contextFrom: 'training', ...numbers };
  }

  async *submit(
    { prompt, maxTokens = usualTokens, embed }: GenerateRequest,
    signal?: AbortSignal,
  ): AsyncGenerator<EngineEvent> {
    const promptTokens = prompt.length;
    this.#promptTokens += promptTokens;
    let completionTokens = 0;
    const most = embed ? 0 : Math.min(maxTokens, this.info.context - promptTokens);
    while (completionTokens < most && !signal?.aborted) {
      completionTokens++;
      this.#completionTokens++;
      yield { kind: 'token', token: this.#answer };
    }
    const usage = { promptTokens, cachedTokens: 0, completionTokens };
    const embedding = embed && { embedding: new Float32Array(this.info.width).fill(Math.sqrt(1 / this.info.width)) };
    yield { kind: 'end', reason: signal?.aborted ? 'cancelled' : 'length', usage, ...embedding };
  }

  async stats() {
    const none = { running: 0, waiting: 0, pagesTotal: 0, pagesUsed: 0, pagesCached: 0, draftedTokens: 0 };
    return {
      ...none,
      acceptedTokens: 0,
      steps: 0,
      preemptedSteps: 0,
      promptTokens: this.#promptTokens,
      completionTokens: this.#completionTokens,
      memory: { weights: 0, kvCache: 0, work: 0, kvTouched: 0 },
    };
  }

  async loadAdapter(): Promise<void> {}
  async unloadAdapter(): Promise<void> {}
  async saveSession(): Promise<{ tokens: number; computed: number; bytes: number }> {
    return { tokens: 0, computed: 0, bytes: 0 };
  }
  async restoreSession(): Promise<{ tokens: number; computed: number }> {
    return { tokens: 0, computed: 0 };
  }
  async close(): Promise<void> {}
}

/** Loads tokenizer and template of a model's file; the engine is a script. */
export const loadScripted: typeof loadModel = async ({ id = 'scripted', source }): Promise<ServedModel> => {
  if (!source || !('path' in source)) throw new Error('a scripted model needs a path for its tokenizer');
  const { path } = source;
  const text = await openModelText(path);
  const { tokenizer } = text;
  const engine = new ScriptedEngine(tokenizer.encode('a', { addSpecial: false })[0]!, tokenizer.vocabSize);
  return {
    ...text,
    id,
    file: { name: id, path, origin: path },
    engine,
    textSource: { path },
    generate: textGeneration(engine, text),
    created: Math.floor(Date.now() / 1000),
  };
};
