import { readCalls } from './call-parser.ts';
import type { OutputEvent, Reading, Steps, ToolSchemas } from './events.ts';
import { fence, readBareCall, readFencedCall } from './fenced-call.ts';
import { Input } from './input.ts';
import { literal, skipSpace } from './literal.ts';
import { openingOf } from './opening.ts';
import type { OutputFormat, ReasoningFormat, ToolFormat } from './types.ts';
import { textUntil } from './until.ts';

export type { OutputEvent, ToolSchemas } from './events.ts';

/**
 * Reads an answer as it comes. Text that begins like a call and is none, or calls no tool that there is, is content. The pieces in
 * which the text comes make no difference to what is read, only to how it is cut.
 */
export class OutputParser {
  /** Where the thoughts stand in the text, with their markers. The last may not have ended. */
  readonly thoughts: { readonly start: number; end: number }[] = [];
  readonly #input = new Input();
  readonly #steps: Steps<void>;
  readonly #reading: Reading;
  #events: OutputEvent[] = [];

  /** `inReasoning`: the prompt has begun the thoughts. */
  constructor(format: OutputFormat, tools: ToolSchemas, { inReasoning = false } = {}) {
    let calls = 0;
    this.#reading = { input: this.#input, tools, emit: event => this.#emit(event), newCall: () => calls++ };
    this.#steps = this.#answer(format, inReasoning);
  }

  push(text: string): OutputEvent[] {
    this.#input.push(text);
    return this.#advance();
  }

  /** The answer is complete, or was cut off. */
  end(): OutputEvent[] {
    this.#input.end();
    return this.#advance();
  }

  #advance(): OutputEvent[] {
    this.#steps.next();
    return this.#events.splice(0);
  }

  #emit(event: OutputEvent): void {
    const last = this.#events.at(-1);
    if ('text' in event && event.text === '') return;
    if (last && 'text' in last && 'text' in event && last.kind === event.kind)
      this.#events[this.#events.length - 1] = { ...last, text: last.text + event.text } as OutputEvent;
    else this.#events.push(event);
  }

  *#answer({ reasoning, tools }: OutputFormat, inReasoning: boolean): Steps<void> {
    if (reasoning && (inReasoning || (yield* literal(this.#input, reasoning.open))))
      yield* this.#thoughts(reasoning, 0);
    const called = tools && this.#reading.tools.size > 0 ? tools : undefined;
    if (called && openingOf(called).marker === undefined && (yield* readCalls(this.#reading, called)))
      yield* skipSpace(this.#input);
    while (called && (yield* readBareCall(this.#reading))) yield* skipSpace(this.#input);
    yield* this.#content(called, reasoning);
  }

  *#thoughts({ close }: ReasoningFormat, start: number): Steps<void> {
    const place = { start, end: Number.POSITIVE_INFINITY };
    this.thoughts.push(place);
    const ended = yield* textUntil(this.#input, [close], text => this.#emit({ kind: 'reasoning', text }));
    if (ended === undefined) return;
    this.#takeMarker(close);
    place.end = this.#input.taken;
    yield* skipSpace(this.#input);
  }

  /** With the white space in front of it. */
  #takeMarker(marker: string): string {
    return this.#input.take(this.#input.text.indexOf(marker) + marker.length);
  }

  /** Text, and calls in it. */
  *#content(tools: ToolFormat | undefined, reasoning: ReasoningFormat | undefined): Steps<void> {
    const input = this.#input;
    const marker = tools && openingOf(tools).marker;
    const silent = reasoning?.silent ?? [];
    const again = reasoning && silent.length > 0 ? [reasoning.open] : [];
    const ends = [...(marker === undefined ? [] : [marker]), ...(tools ? [fence] : []), ...silent, ...again];
    for (;;) {
      const end = yield* textUntil(input, ends, text => this.#emit({ kind: 'content', text }));
      if (end === undefined) return;
      if (silent.includes(end)) this.#takeMarker(end);
      else if (again.includes(end)) {
        const start = input.taken;
        this.#takeMarker(end);
        if (reasoning) yield* this.#thoughts(reasoning, start);
      } else if (tools && (yield* end === fence ? readFencedCall(this.#reading) : readCalls(this.#reading, tools)))
        yield* skipSpace(input);
      else this.#emit({ kind: 'content', text: this.#takeMarker(end) });
    }
  }
}
