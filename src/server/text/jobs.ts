import { RealmError } from '../../errors.ts';
import type { Limits } from '../../tenancy/config.ts';
import type { Steps } from '../../tokenizer/steps.ts';
import type { TextRange, Token, Tokenizer } from '../../tokenizer/types.ts';
import { promptTokensInSteps } from '../../tokenizer/chat-prompt.ts';
import { parseChatDocument, refuseLongText, renderChat } from '../../llm/prompt.ts';
import { type BodyForm, parseBody } from './bodies.ts';
import { embeddingsJson, tokensJson } from './json.ts';
import type { ModelText } from '../../llm/model-text.ts';

/** Work on text whose size a tenant chooses: the same function on the thread that serves and on the one for long texts. */
interface Job<Input, Output> {
  /** What it costs grows with this. */
  size(input: Input): number;
  /** Up to this size it takes no more than some milliseconds. */
  readonly short: number;
  /** Plain data and typed arrays in, few objects out: both may go from thread to thread. */
  run(input: Input, model: ModelText): Steps<Output>;
}

interface PromptInput {
  readonly kind: 'chat' | 'completion';
  readonly text: string;
  readonly context: number;
  readonly parseSpecial?: boolean;
}

interface Inputs {
  readonly inputs: readonly (string | Float64Array)[];
  readonly context: number;
  readonly parseSpecial?: boolean;
}

const job = <Input, Output>(definition: Job<Input, Output>) => definition;

const shortText = 8 << 10;
const shortBody = 8 << 10;
const shortAnswer = 4 << 10;

export const jobs = {
  /** A request's body. */
  body: job({
    size: ({ bytes }) => bytes.length,
    short: shortBody,
    run({ form, bytes, limits }: { form: BodyForm; bytes: Uint8Array; limits: Limits }) {
      return parseBody(form, bytes, limits);
    },
  }),
  /** The tokens of a program's prompt; refuses what cannot fit. */
  prompt: job({
    size: ({ text }) => text.length,
    short: shortText,
    *run({ kind, text, context, parseSpecial }: PromptInput, model) {
      const { tokenizer } = model;
      // A completion's prompt is in the place of a template: whoever writes it writes its special tokens too.
      if (kind === 'completion') {
        refuseLongText(tokenizer, text, context, 'prompt');
        return Int32Array.from(yield* tokenizer.encodeInSteps(text));
      }
      const prompt = renderChat(model, parseChatDocument(text), { parseSpecial });
      yield;
      refuseLongText(tokenizer, prompt.text, context, 'messages');
      return Int32Array.from(yield* promptTokensInSteps(tokenizer, prompt));
    },
  }),
  /** A program's own wish. */
  encode: job({
    size: (text: string) => text.length,
    short: shortText,
    *run(text: string, { tokenizer }) {
      return Int32Array.from(yield* tokenizer.encodeInSteps(text));
    },
  }),
  decode: job({
    size: (tokens: ArrayLike<number>) => tokens.length,
    short: shortAnswer,
    *run(tokens: ArrayLike<number>, { tokenizer }) {
      return yield* decode(tokenizer, tokens, false);
    },
  }),
  /** The tokens of each text for embeddings. */
  inputs: job({
    size: ({ inputs }: Inputs) => inputs.reduce((sum, input) => sum + input.length, 0),
    short: shortText,
    *run({ inputs, ...options }: Inputs, model) {
      const texts: Int32Array[] = [];
      for (const [i, input] of inputs.entries()) {
        texts.push(yield* encodeInput(model, input, options, inputs.length === 1 ? 'input' : `input[${i}]`));
      }
      return texts;
    },
  }),
  /** Answers as JSON. */
  tokenizeAnswer: job({
    size: ({ text }) => text.length,
    short: shortAnswer,
    *run(request: { text: string; addSpecial: boolean; parseSpecial: boolean; pieces: boolean }, { tokenizer }) {
      const tokens = yield* tokenizer.encodeInSteps(request.text, request);
      return yield* tokensJson(tokens, request.pieces ? tokenizer : undefined);
    },
  }),
  detokenizeAnswer: job({
    size: (tokens: Float64Array) => tokens.length,
    short: shortAnswer,
    *run(tokens: Float64Array, { tokenizer }) {
      const wrong = tokens.findIndex(token => token >= tokenizer.vocabSize);
      if (wrong < 0) return json({ content: yield* decode(tokenizer, tokens, true) });
      const param = `tokens[${wrong}]`;
      const message = `${param}: must be less than the vocabulary's ${tokenizer.vocabSize}`;
      throw new RealmError('invalid_request', message, { param });
    },
  }),
  templateAnswer: job({
    size: ({ document }) => document.length,
    short: shortText,
    *run({ document, parseSpecial }: { document: string; parseSpecial?: boolean }, model) {
      const { text, values } = renderChat(model, parseChatDocument(document), { locate: true, parseSpecial });
      yield;
      return json({ prompt: text, values: inCodePoints(text, values) });
    },
  }),
  embeddingsAnswer: job({
    size: ({ values }) => values.reduce((sum, { length }) => sum + length, 0),
    short: shortAnswer,
    run(answer: { values: readonly Float32Array[]; base64: boolean; model: string; promptTokens: number }) {
      return embeddingsJson(answer);
    },
  }),
};

export type JobName = keyof typeof jobs;
export type JobInput<N extends JobName> = Parameters<(typeof jobs)[N]['run']>[0];
export type JobOutput<N extends JobName> = ReturnType<(typeof jobs)[N]['run']> extends Steps<infer T> ? T : never;

/** Tokens of one step: about 2 ms. */
const step = 1 << 12;
const utf8 = new TextEncoder();

const json = (value: object): Uint8Array<ArrayBuffer> => utf8.encode(JSON.stringify(value));

function* decode(tokenizer: Tokenizer, tokens: ArrayLike<number>, special: boolean): Steps<string> {
  const wrong = Array.prototype.find.call(tokens, token => !(token >= 0 && token < tokenizer.vocabSize));
  if (wrong !== undefined)
    throw new RealmError('invalid_request', `There is no token ${wrong}; the vocabulary has ${tokenizer.vocabSize}`);
  const stream = tokenizer.stream({ special, whole: true });
  const texts: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    texts.push(stream.push(tokens[i] as Token));
    if (i % step === step - 1) yield;
  }
  return texts.join('') + stream.end();
}

/** Documents are values: what they say is no control token. */
function* encodeInput(
  { tokenizer }: ModelText,
  input: string | Float64Array,
  { context, parseSpecial = false }: Omit<Inputs, 'inputs'>,
  param: string,
): Steps<Int32Array> {
  const wrong = (message: string) => new RealmError('invalid_request', `${param}: ${message}`, { param });
  if (typeof input === 'string') refuseLongText(tokenizer, input, context, param);
  const tokens = typeof input === 'string' ? yield* tokenizer.encodeInSteps(input, { parseSpecial }) : input;
  if (tokens.length === 0) throw wrong('is empty');
  const stray = tokens.find(token => token >= tokenizer.vocabSize);
  if (stray !== undefined) throw wrong(`has token ${stray}; the vocabulary has ${tokenizer.vocabSize}`);
  if (tokens.length <= context) return Int32Array.from(tokens);
  const message = `${param}: has ${tokens.length} tokens and the model's context is ${context}; shorten it`;
  throw new RealmError('context_length_exceeded', message, { param });
}

/** Places as most languages count them, not in UTF-16 code units. */
function inCodePoints(text: string, ranges: readonly TextRange[]): TextRange[] {
  let [units, points] = [0, 0];
  const pointAt = (place: number) => {
    for (; units < place; points++) units += text.codePointAt(units)! > 0xffff ? 2 : 1;
    return points;
  };
  return ranges.map(([start, end]) => [pointAt(start), pointAt(end)]);
}
