import { checkLength } from '../../engine/admission.ts';
import { decode } from '../../llm/decode.ts';
import { encodeInput } from '../../llm/embed.ts';
import type { ModelText } from '../../llm/model-text.ts';
import { declaredTools } from '../../llm/program/declared-tools.ts';
import { readAnswer } from '../../llm/program/read-answer.ts';
import { type Chat, encodePrompt, parseChatDocument, renderChat } from '../../llm/prompt.ts';
import { encodeRanking } from '../../llm/rank.ts';
import { encodeShortened } from '../../llm/shorten-chat.ts';
import type { Limits } from '../../tenancy/config.ts';
import type { Steps } from '../../tokenizer/steps.ts';
import type { TextRange } from '../../tokenizer/types.ts';
import { type ItemPage, itemPage } from '../responses/item-page.ts';
import { type PrepareInput, prepare } from '../responses/prepare.ts';
import { type BodyForm, parseBody } from './bodies.ts';
import { embeddingsJson, tokensJson } from './json.ts';

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
  readonly parseSpecial?: boolean | undefined;
  /** A chat that is too long loses its oldest messages, and leaves so many tokens to the answer. */
  readonly room?: number | undefined;
  /** How the model is told to write calls, where the chat has tools and does not say. */
  readonly toolFormat?: string | undefined;
}

interface Inputs {
  readonly inputs: readonly (string | Float64Array)[];
  readonly context: number;
  /** Texts that are too long lose their end. */
  readonly truncate?: boolean | undefined;
  readonly parseSpecial?: boolean | undefined;
}

interface RankInput {
  readonly query: string;
  readonly documents: readonly string[];
  readonly context: number;
  readonly parseSpecial?: boolean | undefined;
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
  /** A request of the Responses API with what was said before it. */
  responses: job({
    size: ({ request, history }) => request.length + (history?.length ?? 0),
    short: shortBody,
    run(input: PrepareInput) {
      return prepare(input);
    },
  }),
  /** A page of a stored response's own items. */
  inputItems: job({
    size: ({ input }) => input.length,
    short: shortBody,
    // biome-ignore lint/correctness/useYield: it has no steps
    *run({ input, page }: { input: string; page: ItemPage }) {
      return json(itemPage(JSON.parse(input), page));
    },
  }),
  /** The tokens of a program's prompt; refuses what cannot fit, unless it may be shortened. */
  prompt: job({
    size: ({ text }) => text.length,
    short: shortText,
    *run({ kind, text, room, toolFormat, ...options }: PromptInput, model) {
      const prompt = kind === 'chat' ? withFormat(parseChatDocument(text), toolFormat) : text;
      const encoding =
        room === undefined || typeof prompt === 'string'
          ? encodePrompt(model, prompt, options)
          : encodeShortened(model, prompt, { ...options, room });
      const { tokens, inReasoning } = yield* encoding;
      return { tokens: Int32Array.from(tokens), inReasoning };
    },
  }),
  /** What the user said last in a chat document; undefined where nobody has said anything. */
  lastOfUser: job({
    size: ({ length }) => length,
    short: shortText,
    *run(document: string) {
      return parseChatDocument(document).messages.findLast(({ role }) => role === 'user')?.content;
    },
  }),
  /** The text of a prompt that a client sent as tokens; refuses what cannot fit, and what is no token. */
  promptText: job({
    size: ({ tokens }) => tokens.length,
    short: shortAnswer,
    *run({ tokens, param, context }: { tokens: Float64Array; param: string; context: number }, { tokenizer }) {
      checkLength(tokens.length, context, { param });
      return yield* decode(tokenizer, tokens, true, param);
    },
  }),
  /** A program's own wish. */
  encode: job({
    size: ({ text }) => text.length,
    short: shortText,
    *run({ text, ...options }: { text: string; addSpecial?: boolean; parseSpecial?: boolean }, { tokenizer }) {
      return Int32Array.from(yield* tokenizer.encodeInSteps(text, options));
    },
  }),
  decode: job({
    size: (tokens: ArrayLike<number>) => tokens.length,
    short: shortAnswer,
    *run(tokens: ArrayLike<number>, { tokenizer }) {
      return yield* decode(tokenizer, tokens, false);
    },
  }),
  /** The tools that a program declares. */
  declaredTools: job({
    size: ({ tools }) => tools.length,
    short: shortBody,
    // biome-ignore lint/correctness/useYield: it has no steps
    *run({ tools, choice }: { tools: string; choice: 'auto' | 'required' }) {
      return declaredTools(tools, choice);
    },
  }),
  /** A program wants to know what an answer says. */
  readAnswer: job({
    size: ({ tokens, tools }) => tokens.length + tools.length,
    short: shortAnswer,
    run(answer: Parameters<typeof readAnswer>[0], model) {
      return readAnswer(answer, model);
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
  /** The tokens of a query with each document, for a model that ranks. */
  rankings: job({
    size: ({ query, documents }: RankInput) => documents.reduce((sum, each) => sum + query.length + each.length, 0),
    short: shortText,
    *run({ query, documents, ...options }: RankInput, model) {
      const texts: Int32Array[] = [];
      for (const [i, document] of documents.entries())
        texts.push(yield* encodeRanking(model, { query, document }, options, `documents[${i}]`));
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
      return json({ content: yield* decode(tokenizer, tokens, true) });
    },
  }),
  templateAnswer: job({
    size: ({ document }) => document.length,
    short: shortText,
    *run({ document, parseSpecial }: { document: string; parseSpecial?: boolean | undefined }, model) {
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

/** The request's own format of calls, in a chat that its program has written anew. */
function withFormat(chat: Chat, toolFormat: string | undefined): Chat {
  return chat.tools && toolFormat !== undefined ? { ...chat, toolFormat: chat.toolFormat ?? toolFormat } : chat;
}

export type JobName = keyof typeof jobs;
export type JobInput<N extends JobName> = Parameters<(typeof jobs)[N]['run']>[0];
export type JobOutput<N extends JobName> = ReturnType<(typeof jobs)[N]['run']> extends Steps<infer T> ? T : never;

const utf8 = new TextEncoder();

const json = (value: object): Uint8Array<ArrayBuffer> => utf8.encode(JSON.stringify(value));

/** Places as most languages count them, not in UTF-16 code units. */
function inCodePoints(text: string, ranges: readonly TextRange[]): TextRange[] {
  let [units, points] = [0, 0];
  const pointAt = (place: number) => {
    for (; units < place; points++) units += (text.codePointAt(units) ?? 0) > 0xffff ? 2 : 1;
    return points;
  };
  return ranges.map(([start, end]) => [pointAt(start), pointAt(end)]);
}
