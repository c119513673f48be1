import { getLlama, LlamaLogLevel, type LlamaModel, type Token } from 'node-llama-cpp';

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

/** llama.cpp's build for this machine's processor, as node-llama-cpp ships it; nothing is compiled or fetched. */
export async function withLlama<T>(path: string, use: (model: LlamaModel) => Promise<T>): Promise<T> {
  const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error });
  try {
    return await use(await llama.loadModel({ modelPath: path, gpuLayers: 0 }));
  } finally {
    await llama.dispose();
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
