import { readCalls } from './call-parser.ts';
import type { OutputEvent, Reading, Steps, ToolSchemas } from './events.ts';
import { fence, readBareCall, readFencedCall } from './fenced-call.ts';
import { Input } from './input.ts';
import { hasStart, literal, matchRun, skipSpace } from './literal.ts';
import { markersOf, openingOf } from './opening.ts';
import type { OutputFormat, ReasoningFormat } from './types.ts';
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

  *#answer({ reasoning, text, tools }: OutputFormat, inReasoning: boolean): Steps<void> {
    if (reasoning && (inReasoning || (yield* literal(this.#input, reasoning.open))))
      yield* this.#thoughts(reasoning, 0);
    // Some models end thoughts that they have not begun.
    else if (reasoning && (yield* literal(this.#input, reasoning.close))) yield* skipSpace(this.#input);
    const called = tools && this.#reading.tools.size > 0 ? tools : undefined;
    const opening = called && openingOf(called, text);
    // What is looked for inside of a text does not stand before the first call.
    const first = opening && (opening.marker === undefined || opening.before !== called.begin);
    let begun = first === true && (yield* readCalls(this.#reading, called));
    if (begun) yield* skipSpace(this.#input);
    while (called && (yield* readBareCall(this.#reading))) {
      begun = true;
      yield* skipSpace(this.#input);
    }
    if (text && !begun) yield* takeOpening(this.#input, text.open);
    yield* this.#content({ ...(reasoning && { reasoning }), ...(text && { text }), ...(called && { tools: called }) });
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

  /** Text, and the other parts in it. */
  *#content(format: OutputFormat): Steps<void> {
    const { reasoning, text: marked, tools } = format;
    const ends = [
      ...(tools ? markersOf(tools, marked) : []),
      ...(tools ? [fence] : []),
      ...(marked?.silent ?? []),
      ...(reasoning && (marked || reasoning.anywhere) ? [reasoning.open] : []),
      ...(reasoning?.anywhere ? [reasoning.close] : []),
    ];
    for (;;) {
      const end = yield* textUntil(this.#input, ends, text => this.#emit({ kind: 'content', text }));
      if (end === undefined) return;
      if (!(yield* this.#part(end, format))) this.#emit({ kind: 'content', text: this.#takeMarker(end) });
    }
  }

  /** What `marker` begins; false, and nothing is taken, where that is text. */
  *#part(marker: string, { reasoning, text, tools }: OutputFormat): Steps<boolean> {
    const ended = reasoning?.anywhere === true && marker === reasoning.close;
    if (text?.silent.includes(marker) || ended || marker === reasoning?.open) {
      const start = this.#input.taken;
      this.#takeMarker(marker);
      if (marker === reasoning?.open) yield* this.#thoughts(reasoning, start);
      return true;
    }
    if (!tools) return false;
    const { before } = openingOf(tools, text);
    if (yield* marker === fence ? readFencedCall(this.#reading) : readCalls(this.#reading, tools, before)) {
      yield* skipSpace(this.#input);
      return true;
    }
    return text !== undefined && marker !== fence && (yield* takeOpening(this.#input, before + text.open));
  }
}

/** Takes what opens a part exactly as it is, since text of the answer may begin alike; only white space may come before it. */
function* takeOpening(input: Input, open: string): Steps<boolean> {
  const solid = open.trimStart();
  const from = yield* matchRun(input, /\s/, Number.MAX_SAFE_INTEGER);
  const whole = yield* hasStart(input, solid, from);
  if (whole) input.take(from + solid.length);
  return whole;
}
