import { getLlama, type Llama, LlamaLogLevel, type LlamaModel, type Token } from 'node-llama-cpp';

/** llama.cpp's answer to a text: its tokens and, after each of them, the probability of every token of the vocabulary. */
export interface Answer {
  readonly tokens: Int32Array;
  /** [tokens][vocabSize] */
  readonly probabilities: readonly Float32Array[];
}

export interface AnswerOptions {
  readonly flashAttention?: boolean;
  readonly threads?: number;
  /** Path of an adapter. */
  readonly lora?: string;
}

/** One for all tests of a file: before it is given out it is tried out in a process of its own. */
let llama: Promise<Llama> | undefined;

/** llama.cpp's build for this machine's processor, as node-llama-cpp ships it; nothing is compiled or fetched. */
export async function withLlama<T>(path: string, use: (model: LlamaModel) => Promise<T>): Promise<T> {
  llama ??= getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error });
  const model = await (await llama).loadModel({ modelPath: path, gpuLayers: 0 });
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}

/** Evaluates `tokens` as one sequence from position 0. */
export async function evaluate(model: LlamaModel, tokens: Int32Array, options: AnswerOptions = {}): Promise<Answer> {
  const context = await model.createContext({ contextSize: tokens.length + 32, sequences: 1, threads: 2, ...options });
  const probabilities: Float32Array[] = [];
  const inputs = Array.from(tokens, token => [token as Token, { generateNext: { probabilities: true } }] as const);
  await context.getSequence().controlledEvaluate(
    inputs.map(([token, next]) => [token, next]),
    {
      onTokenResult(index, { next }) {
        const row = new Float32Array(next.probabilities?.size ?? 0);
        for (const [token, probability] of next.probabilities ?? []) row[token] = probability;
        probabilities[index] = row;
      },
    },
  );
  await context.dispose();
  return { tokens, probabilities };
}

/** llama.cpp's embedding of `tokens` (and of the beginning and end of text that it adds), of length 1. */
export async function embeddingOf(
  model: LlamaModel,
  tokens: Int32Array,
): Promise<{ tokens: number[]; vector: number[] }> {
  const context = await model.createEmbeddingContext({ contextSize: tokens.length + 32, threads: 2 });
  const input = Array.from(tokens, token => token as Token);
  const { vector } = await context.getEmbeddingFor(input);
  await context.dispose();
  const length = Math.hypot(...vector);
  const { bos, eos, shouldPrependBosToken, shouldAppendEosToken } = model.tokens;
  const all: number[] = [...tokens];
  if (shouldPrependBosToken && all[0] !== bos) all.unshift(bos!);
  if (shouldAppendEosToken && all.at(-1) !== eos) all.push(eos!);
  return { tokens: all, vector: vector.map(value => value / length) };
}

/** llama.cpp's score of a document for a query, from 0 to 1, and the tokens that it is computed from. */
export async function scoreOf(
  model: LlamaModel,
  query: Int32Array,
  document: Int32Array,
): Promise<{ tokens: number[]; score: number }> {
  const context = await model.createRankingContext({ contextSize: query.length + document.length + 32, threads: 2 });
  const [asked, found] = [Array.from(query), Array.from(document)] as Token[][];
  const score = await context.rank(asked!, found!);
  await context.dispose();
  const { bos, eos, sep } = model.tokens;
  const special = (token: Token | null) => (token === null ? [] : [token]);
  return { tokens: [...special(bos), ...asked!, ...special(eos), ...special(sep), ...found!, ...special(eos)], score };
}
