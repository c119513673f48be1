import type { EmbedRequest, GenerateRequest, Sampling } from '../engine/request.ts';
import type { EngineInfo, EngineStats } from '../engine/types.ts';
import { asRealmError } from '../errors.ts';
import { decode } from '../llm/decode.ts';
import { embed, embedAll, encodeInput } from '../llm/embed.ts';
import type { LoadedModel } from '../llm/load.ts';
import { type Chat, encodePrompt } from '../llm/prompt.ts';
import { encodeRanking } from '../llm/rank.ts';
import type { TextEvent } from '../llm/types.ts';
import type { Sandbox } from '../sandbox/types.ts';
import { finish } from '../tokenizer/steps.ts';
import type { ChatMessage, EncodeOptions, Token } from '../tokenizer/types.ts';
import { Generation, textAnswer, throwIfCancelled } from './generation.ts';
import { constraintOf, messagesOf, stopsOf, textOf } from './input.ts';
import type { Program } from './load-program.ts';
import type { ChatOptions, EmbedOptions, GenerateOptions, RequestOptions, SamplingOptions } from './options.ts';
import type { ProgramInput, RunAnswer, RunChunk, RunOptions } from './program-options.ts';
import { ProgramRunner } from './run-program.ts';
import type { Session } from './sessions.ts';

/** What a loaded model is. */
export interface ModelInfo extends EngineInfo {
  /** The catalog's name, or the file's name without `.gguf`. */
  readonly id: string;
  /** The file, absolute; of a model that is not read from a file its URL or its name. */
  readonly path: string;
}

/** A loaded model; {@link loadModel} makes it. Any number of requests may run at once: they are computed together. */
export class Model {
  /** What it is. */
  readonly info: ModelInfo;
  readonly #model: LoadedModel;
  readonly #sessions: FindSession;
  readonly #programs: ProgramRunner;
  readonly #adapters = new Set<string>();
  #requests = 0;

  /** @internal */
  constructor(model: LoadedModel, path: string, sessions: FindSession, makeSandbox: () => Sandbox) {
    this.#model = model;
    this.#sessions = sessions;
    this.#programs = new ProgramRunner(model, this.#adapters, makeSandbox);
    this.info = { ...model.engine.info, id: model.id, path };
  }

  /**
   * Answers a chat; a string is one message of a user. The answer begins at once. Its errors: `invalid_request`,
   * `context_length_exceeded`, `schema_unsupported`, `grammar_invalid`, `grammar_limit`, `constraint_dead_end`,
   * `template_invalid`, `template_limit`, `adapter_not_found`, `queue_full`, `queue_timeout`,
   * `session_mismatch`, `session_corrupted`, `session_failed`, `request_cancelled`, `engine_failed`, `shutting_down`.
   */
  chat(messages: string | readonly ChatMessage[], options: ChatOptions = {}): Generation {
    const { addGenerationPrompt, continueFinalMessage, variables, parseSpecial } = options;
    return this.#answer(options, () =>
      this.#encode(
        { messages: messagesOf(messages), addGenerationPrompt, continueFinalMessage, variables },
        parseSpecial,
      ),
    );
  }

  /** Goes on with a text as it stands, special tokens included, without a chat template. Errors as those of {@link chat}. */
  generate(prompt: string, options: GenerateOptions = {}): Generation {
    return this.#answer(options, () => this.#encode(textOf(prompt, 'prompt')));
  }

  /**
   * Runs a tenant's program on this model, in a sandbox of its own: its bytes are those that a server answers with. It begins at
   * once. Beside the errors of {@link chat}: `program_invalid`, `program_trapped`, `program_out_of_fuel`, `program_out_of_memory`,
   * `program_deadline`, `program_failed`, and `kernel_unavailable` where a browser cannot suspend programs.
   */
  run(program: Program, input: ProgramInput, options: RunOptions = {}): Generation<RunChunk, RunAnswer> {
    const { maxTokens, priority } = options;
    const asked = { ...this.#request(options), maxTokens, priority, sampling: samplingOf(options) };
    return new Generation(signal => this.#programs.run(program, input, options, asked, signal), options.signal);
  }

  /**
   * The embedding of a text, of length 1, with `info.width` numbers. Throws `invalid_request` (an empty text, a model
   * without embeddings), `context_length_exceeded`, and what {@link chat} throws of the engine.
   */
  embed(text: string, options?: EmbedOptions): Promise<Float32Array>;
  /** The embeddings of several texts, in their order; they are computed together. The first failure ends them all. */
  embed(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]>;
  async embed(texts: string | readonly string[], options: EmbedOptions = {}): Promise<Float32Array | Float32Array[]> {
    const inputs = typeof texts === 'string' ? { text: texts } : entriesOf('texts', texts);
    const embeddings = await this.#embedAll(options, () =>
      Object.entries(inputs).map(([param, text]) => this.#encodeInput(text, options, param)),
    );
    return typeof texts === 'string' ? embeddings[0]! : embeddings;
  }

  /**
   * How probable it is that each document answers the query, from 0 to 1, in their order: as a model says it that was made to rank.
   * They are computed together. Throws `invalid_request` (a model that does not rank), `context_length_exceeded`, and what
   * {@link chat} throws of the engine.
   */
  async rank(query: string, documents: readonly string[], options: EmbedOptions = {}): Promise<number[]> {
    const { parseSpecial } = options;
    const { context } = this.#model.engine.info;
    const scores = await this.#embedAll({ ...options, rank: true }, () => {
      const asked = textOf(query, 'query');
      return Object.entries(entriesOf('documents', documents)).map(([param, document]) =>
        finish(
          encodeRanking(
            this.#model,
            { query: asked, document: textOf(document, param) },
            { context, parseSpecial },
            param,
          ),
        ),
      );
    });
    return scores.map(([score = 0]) => score);
  }

  /** The tokens of a text, with the beginning-of-text token that the model asks for unless `addSpecial` is `false`. */
  tokenize(text: string, options?: EncodeOptions): number[] {
    return this.#model.tokenizer.encode(text, options);
  }

  /** The text of tokens; special tokens are left out unless `special` is set. Throws `invalid_request` for what is no token. */
  detokenize(tokens: readonly number[], { special = false }: { readonly special?: boolean } = {}): string {
    return finish(decode(this.#model.tokenizer, tokens, special));
  }

  /**
   * Loads a LoRA adapter (a GGUF file) under a name that requests can use, while others go on. Throws `adapter_exists`,
   * `adapter_invalid`, `out_of_memory`, and what is wrong with the file.
   */
  async loadAdapter(name: string, path: string): Promise<void> {
    await this.#model.engine.loadAdapter(name, path);
    this.#adapters.add(name);
  }

  /** Takes an adapter away; resolves when the requests that have it have ended. Throws `adapter_not_found`. */
  async unloadAdapter(name: string): Promise<void> {
    this.#adapters.delete(name);
    await this.#model.engine.unloadAdapter(name);
  }

  /** What runs and waits, and what it takes of the memory. */
  async stats(): Promise<EngineStats> {
    return this.#model.engine.stats();
  }

  /** Ends what runs with `shutting_down` and frees everything. */
  async close(): Promise<void> {
    await this.#programs.close();
    await this.#model.engine.close();
  }

  /** The same as {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What the model makes of each text at its end; the first failure ends them all. */
  async #embedAll(
    { rank, ...options }: EmbedOptions & Pick<EmbedRequest, 'rank'>,
    encode: () => readonly Int32Array[],
  ): Promise<Float32Array[]> {
    const { signal } = options;
    const { engine } = this.#model;
    try {
      throwIfCancelled(signal);
      const requests = encode().map(tokens => ({
        ...this.#request(options),
        prompt: Array.from(tokens) as Token[],
        rank,
      }));
      const embeddings = await embedAll((request, either) => embed(engine, request, either), requests, signal);
      return embeddings.map(({ values }) => values);
    } catch (error) {
      throwIfCancelled(signal);
      throw asRealmError(error);
    }
  }

  #encode(prompt: Chat | string, parseSpecial?: boolean): readonly Token[] {
    const { context } = this.#model.engine.info;
    return finish(encodePrompt(this.#model, prompt, { context, parseSpecial })).tokens;
  }

  #encodeInput(text: string, { parseSpecial }: EmbedOptions, param: string): Int32Array {
    const { context } = this.#model.engine.info;
    return finish(encodeInput(this.#model, textOf(text, param), { context, parseSpecial }, param));
  }

  #request({ adapter, tenant = 'default', queueMs }: RequestOptions) {
    return { id: `request-${this.#requests++}`, tenant, adapter, queueMs };
  }

  #answer(options: GenerateOptions, encode: () => readonly Token[]): Generation {
    return new Generation(signal => textAnswer(this.#events(options, encode, signal), options.signal), options.signal);
  }

  async *#events(
    options: GenerateOptions,
    encode: () => readonly Token[],
    signal: AbortSignal,
  ): AsyncGenerator<TextEvent> {
    const { logprobs = false } = options;
    const request: GenerateRequest = {
      ...this.#request(options),
      prompt: encode(),
      maxTokens: options.maxTokens,
      sampling: samplingOf(options),
      stop: stopsOf(options.stop),
      constraint: constraintOf(options.constraint),
      topLogprobs: logprobs === false ? undefined : Number(logprobs === true ? 0 : logprobs),
      priority: options.priority,
    };
    const session = this.#sessions(options);
    await session?.restore();
    for await (const event of this.#model.generate(request, signal)) {
      if (event.kind === 'end' && event.reason !== 'cancelled') await session?.save(event.tokens);
      yield event;
    }
  }
}

/** Texts by what errors call them. */
const entriesOf = (name: string, texts: readonly string[]): Record<string, string> =>
  Object.fromEntries([texts].flat().map((text, i) => [`${name}[${i}]`, text]));

/** The session that a request names, if any; throws `invalid_request` where there are none. */
type FindSession = (options: GenerateOptions) => Session | undefined;

/** Only what was said, so that defaults fill the rest. */
export function samplingOf(options: SamplingOptions): Sampling {
  const { temperature, topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty } = options;
  const { penaltyWindow, logitBias, seed } = options;
  const named = { temperature, topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty };
  return { ...named, penaltyWindow, logitBias, seed };
}
