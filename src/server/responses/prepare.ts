import type { Limits } from '../../tenancy/config.ts';
import type { Steps } from '../../tokenizer/steps.ts';
import type { GenerationBody } from '../fields.ts';
import { validate } from '../text/bodies.ts';
import { inWordsOfResponses, toChatBody } from './chat-body.ts';
import { checkOutputs, resolveItems, toMessages } from './conversation.ts';
import type { Item } from './items.ts';
import type { ResponsesRequest } from './request.ts';
import { echoOf } from './response.ts';

export interface PrepareInput {
  readonly request: string;
  /** The response's; items that have none get theirs from it. */
  readonly id: string;
  /** All items of the previous response, input and output. */
  readonly history?: string | undefined;
  /** Stored items by their ids. */
  readonly stored: readonly (readonly [id: string, item: string])[];
  readonly limits: Limits;
}

/** A request with its state: what is to be generated, and what is kept of it. */
export interface Prepared {
  readonly body: GenerationBody;
  /** JSON of {@link echoOf}. */
  readonly echo: string;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly store: boolean;
  readonly generate: boolean;
  /** Thoughts are wanted in a form that can be sent back. */
  readonly sealed: boolean;
  /** JSON of the request's own items. */
  readonly input: string;
  /** JSON of all items before the answer. */
  readonly context: string;
}

/** The request as a chat, with everything that was said before it. */
export function* prepare({ request: text, id, history, stored, limits }: PrepareInput): Steps<Prepared> {
  const request: ResponsesRequest = JSON.parse(text);
  const items = new Map(stored.map(([name, json]) => [name, JSON.parse(json) as Item]));
  const earlier: Item[] = history === undefined ? [] : JSON.parse(history);
  yield;
  const input = resolveItems(request.input, items).map((item, i) => ({ ...item, id: item.id ?? inputId(item, id, i) }));
  const context = [...earlier, ...input];
  checkOutputs(context, earlier.length);
  const chat = toChatBody(request, toMessages(request.instructions, context));
  yield;
  try {
    const body = validate('chat', chat, limits);
    return {
      body,
      echo: JSON.stringify(echoOf(request)),
      temperature: body.settings.sampling.temperature,
      topP: body.settings.sampling.topP,
      store: request.store ?? true,
      generate: request.generate ?? true,
      sealed: request.include?.includes('reasoning.encrypted_content') ?? false,
      input: JSON.stringify(input),
      context: JSON.stringify(context),
    };
  } catch (error) {
    throw inWordsOfResponses(error);
  }
}

const prefixes = {
  message: 'msg',
  function_call: 'fc',
  function_call_output: 'fco',
  reasoning: 'rs',
  compaction: 'cmp',
};

const inputId = ({ type }: Item, id: string, index: number) => `${id.replace('resp', prefixes[type])}_in${index}`;
