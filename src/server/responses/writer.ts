import type { FinishReason } from '../../engine/request.ts';
import type { Usage } from '../exchange.ts';
import type { FunctionCallItem, Item, ItemStatus, MessageItem, ReasoningItem } from './items.ts';
import {
  type ResponseError,
  type ResponseHead,
  type ResponseState,
  type ResponseStatus,
  responseJson,
} from './response.ts';
import { seal } from './sealed.ts';

/** An event of a stream, as it is sent: JSON. */
export interface ResponseEvent {
  readonly type: string;
  readonly json: string;
}

/** A piece of an answer. A call begins with its name; arguments belong to the call that began last. */
export type AnswerPiece =
  | { readonly kind: 'content'; readonly text: string; readonly logprobs?: readonly object[] | undefined }
  | { readonly kind: 'reasoning'; readonly text: string }
  | { readonly kind: 'call'; readonly id: string; readonly name: string }
  | { readonly kind: 'arguments'; readonly text: string };

/** The item that is being written, and its text until now. */
interface Open {
  readonly item: Item & { readonly id: string };
  text: string;
  readonly logprobs: object[];
}

/**
 * Makes the events of an answer, in their order, and of all of it the response. Items follow each other as the answer
 * has them: thoughts, text, calls.
 */
export class ResponseWriter {
  readonly #head: ResponseHead;
  /** Whether thoughts are also written so that a client can send them back. */
  readonly #sealed: boolean;
  /** Finished items: id and JSON. */
  readonly #output: (readonly [id: string, json: string])[] = [];
  #open: Open | undefined;
  #events: ResponseEvent[] = [];
  #sequence = 0;
  #state: ResponseState = { status: 'in_progress' };

  constructor(head: ResponseHead, options: { sealed?: boolean } = {}) {
    this.#head = head;
    this.#sealed = options.sealed ?? false;
  }

  /** JSON of the response as it is now. */
  response(status: ResponseStatus = this.#state.status): string {
    const items = this.#output.map(([, json]) => json);
    return responseJson(this.#head, { ...this.#state, status }, items);
  }

  /** Finished items: id and JSON. */
  get output(): readonly (readonly [id: string, json: string])[] {
    return this.#output;
  }

  start(): readonly ResponseEvent[] {
    this.#sayResponse('response.created');
    this.#sayResponse('response.in_progress');
    return this.#take();
  }

  piece(piece: AnswerPiece): readonly ResponseEvent[] {
    switch (piece.kind) {
      case 'content':
        if (piece.text !== '' || piece.logprobs?.length) this.#content(piece.text, piece.logprobs ?? []);
        break;
      case 'reasoning':
        if (piece.text !== '') this.#reasoning(piece.text);
        break;
      case 'call':
        this.#begin({
          type: 'function_call',
          id: this.#newId('fc'),
          call_id: piece.id,
          name: piece.name,
          arguments: '',
          status: 'in_progress',
        });
        break;
      case 'arguments':
        if (piece.text !== '') this.#delta('response.function_call_arguments.delta', piece.text, {});
        break;
      default:
        piece satisfies never;
    }
    return this.#take();
  }

  /** An answer without anything in it is an empty message. */
  end(reason: FinishReason, usage: Usage, now = seconds()): readonly ResponseEvent[] {
    if (this.#output.length === 0 && this.#open === undefined) this.#beginMessage();
    const cut = reason === 'length';
    this.#close(cut ? 'incomplete' : 'completed');
    return cut
      ? this.#finish('response.incomplete', { status: 'incomplete', usage, incomplete: 'max_output_tokens' })
      : this.#finish('response.completed', { status: 'completed', usage, completedAt: now });
  }

  fail(error: ResponseError, usage: Usage): readonly ResponseEvent[] {
    this.#close('incomplete');
    const status = error.code === 'request_cancelled' ? 'cancelled' : 'failed';
    return this.#finish('response.failed', { status, usage, error });
  }

  /** Nothing was to be generated. */
  skip(usage: Usage, now = seconds()): readonly ResponseEvent[] {
    return this.#finish('response.completed', { status: 'completed', usage, completedAt: now });
  }

  #content(text: string, logprobs: readonly object[]): void {
    if (this.#open?.item.type !== 'message') this.#beginMessage();
    this.#open!.logprobs.push(...logprobs);
    this.#delta('response.output_text.delta', text, { content_index: 0, logprobs });
  }

  #beginMessage(): void {
    const id = this.#newId('msg');
    this.#begin({ type: 'message', id, status: 'in_progress', role: 'assistant', content: [] });
    this.#ofItem('response.content_part.added', { content_index: 0, part: outputText('', []) });
  }

  #reasoning(text: string): void {
    if (this.#open?.item.type !== 'reasoning') {
      this.#begin({ type: 'reasoning', id: this.#newId('rs'), summary: [], content: [] });
      this.#ofItem('response.content_part.added', { content_index: 0, part: { type: 'reasoning_text', text: '' } });
    }
    this.#delta('response.reasoning_text.delta', text, { content_index: 0 });
  }

  #begin(item: Open['item']): void {
    this.#close('completed');
    this.#open = { item, text: '', logprobs: [] };
    this.#say('response.output_item.added', { output_index: this.#output.length, item });
  }

  #delta(type: string, text: string, more: object): void {
    this.#open!.text += text;
    this.#ofItem(type, { ...more, delta: text });
  }

  /** Says that the open item is complete, if there is one. */
  #close(status: ItemStatus): void {
    if (this.#open === undefined) return;
    const { item, text, logprobs } = this.#open;
    const done = this.#done(item, text, logprobs, status);
    this.#say('response.output_item.done', { output_index: this.#output.length, item: done });
    this.#output.push([item.id, JSON.stringify(done)]);
    this.#open = undefined;
  }

  #done(item: Item, text: string, logprobs: object[], status: ItemStatus): Item {
    if (item.type === 'message') {
      const part = outputText(text, logprobs);
      this.#ofItem('response.output_text.done', { content_index: 0, text, logprobs });
      this.#ofItem('response.content_part.done', { content_index: 0, part });
      return { ...item, status, content: [part] } satisfies MessageItem;
    }
    if (item.type === 'reasoning') {
      const part = { type: 'reasoning_text', text };
      this.#ofItem('response.reasoning_text.done', { content_index: 0, text });
      this.#ofItem('response.content_part.done', { content_index: 0, part });
      const sealed = this.#sealed ? { encrypted_content: seal(text) } : {};
      return { ...item, content: [part], ...sealed } satisfies ReasoningItem;
    }
    this.#ofItem('response.function_call_arguments.done', { name: (item as FunctionCallItem).name, arguments: text });
    return { ...(item as FunctionCallItem), arguments: text, status };
  }

  #finish(type: string, state: ResponseState): readonly ResponseEvent[] {
    this.#state = state;
    this.#sayResponse(type);
    return this.#take();
  }

  #ofItem(type: string, fields: object): void {
    this.#say(type, { item_id: this.#open!.item.id, output_index: this.#output.length, ...fields });
  }

  #say(type: string, fields: object): void {
    this.#events.push({ type, json: JSON.stringify({ type, sequence_number: this.#sequence++, ...fields }) });
  }

  #sayResponse(type: string): void {
    const head = JSON.stringify({ type, sequence_number: this.#sequence++ });
    this.#events.push({ type, json: `${head.slice(0, -1)},"response":${this.response()}}` });
  }

  #take(): readonly ResponseEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** The response's own, with the item's number: unique where the response is. */
  #newId(prefix: string): string {
    const number = this.#output.length + (this.#open === undefined ? 0 : 1);
    return `${this.#head.id.replace('resp', prefix)}_${number}`;
  }
}

const outputText = (text: string, logprobs: readonly object[]) => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs,
});

const seconds = () => Math.floor(Date.now() / 1000);
