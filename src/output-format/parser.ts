import { heldBack, Input } from './input.ts';
import { scanJson } from './json-scan.ts';
import { literal, matchLiteral, matchRun, skipSpace } from './literal.ts';
import { openingOf } from './opening.ts';
import { isJson, pythonToJson } from './python-literal.ts';
import type { CallPart, OutputFormat, TaggedArguments, ToolFormat } from './types.ts';

/** What a model's answer is made of. `index`: the call's number in the answer. */
export type OutputEvent =
  | { readonly kind: 'content' | 'reasoning'; readonly text: string }
  | { readonly kind: 'call'; readonly index: number; readonly id?: string; readonly name: string }
  | { readonly kind: 'arguments'; readonly index: number; readonly text: string }
  | { readonly kind: 'callEnd'; readonly index: number };

/** JSON Schemas of tools' arguments, by the tools' names. */
export type ToolSchemas = ReadonlyMap<string, { readonly properties?: Readonly<Record<string, unknown>> } | undefined>;

const NAME = /[^\s"'<>{}()[\]|:=,]/;
const longestName = 256;

type Steps<T> = Generator<void, T>;

/**
 * Reads an answer as it comes. Text that begins like a call and is none, or calls no tool that there is, is content. The pieces in
 * which the text comes make no difference to what is read, only to how it is cut.
 */
export class OutputParser {
  readonly #input = new Input();
  readonly #steps: Steps<void>;
  readonly #tools: ToolSchemas;
  #events: OutputEvent[] = [];
  #calls = 0;

  /** `inReasoning`: the prompt has begun the thoughts. */
  constructor(format: OutputFormat, tools: ToolSchemas, { inReasoning = false } = {}) {
    this.#tools = tools;
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
    if (reasoning && (inReasoning || (yield* literal(this.#input, reasoning.open)))) {
      yield* this.#until(reasoning.close, 'reasoning');
      yield* skipSpace(this.#input);
    }
    const opening = tools && openingOf(tools);
    if (!tools || !opening || this.#tools.size === 0) {
      yield* this.#until(undefined, 'content');
      return;
    }
    if (!opening.marker) {
      if (yield* this.#callsOf(tools)) yield* skipSpace(this.#input);
      yield* this.#until(undefined, 'content');
      return;
    }
    while (yield* this.#until(opening.marker, 'content')) {
      if (yield* this.#callsOf(tools)) yield* skipSpace(this.#input);
      else this.#emit({ kind: 'content', text: this.#input.take(opening.marker.length) });
    }
  }

  /** Gives out text up to `end`, which stays in the input for content and is taken for reasoning; true where it came. */
  *#until(end: string | undefined, kind: 'content' | 'reasoning'): Steps<boolean> {
    const input = this.#input;
    for (;;) {
      const found = end === undefined ? -1 : input.text.indexOf(end);
      if (found >= 0) {
        const text = input.take(found);
        this.#emit({ kind, text: text.trimEnd() });
        if (kind === 'reasoning') input.take(end?.length ?? 0);
        return true;
      }
      const kept = end === undefined || input.ended ? 0 : keptLength(input.text, end);
      this.#emit({ kind, text: input.take(input.text.length - kept) });
      if (input.ended) return false;
      yield;
    }
  }

  /** Calls at the input's beginning; false, and nothing is taken, where there is none. */
  *#callsOf(format: ToolFormat): Steps<boolean> {
    const input = this.#input;
    if ((yield* this.#call(format, format.begin)) === false) return false;
    for (;;) {
      if (format.between !== undefined && (yield* this.#call(format, format.between))) continue;
      yield* skipSpace(input);
      if (format.end !== '') yield* literal(input, format.end);
      return true;
    }
  }

  /** One call behind `before`. Nothing is taken until its name is known. */
  *#call(format: ToolFormat, before: string): Steps<boolean> {
    const named = yield* this.#head(format.call, before);
    if (!named) return false;
    const index = this.#calls++;
    this.#emit({ kind: 'call', index, ...(named.id !== undefined && { id: named.id }), name: named.name });
    for (const [i, part] of named.rest.entries()) {
      if (part.kind === 'text' && !(yield* literal(this.#input, part.text))) break;
      if (part.kind === 'id' || part.kind === 'index')
        this.#input.take(yield* matchRun(this.#input, NAME, longestName));
      if (part.kind === 'arguments') yield* this.#arguments(part.style, index, named.name, named.rest[i + 1]);
    }
    this.#emit({ kind: 'callEnd', index });
    return true;
  }

  /** What stands before a call's arguments; undefined, and nothing taken, where it is no call of a tool that there is. */
  *#head(
    parts: readonly CallPart[],
    before: string,
  ): Steps<{ id?: string; name: string; rest: readonly CallPart[] } | undefined> {
    const input = this.#input;
    const until = parts.findIndex(({ kind }) => kind === 'arguments');
    let at = yield* matchLiteral(input, before);
    const found: { id?: string; name?: string } = {};
    for (const part of parts.slice(0, until)) {
      if (at === undefined) return undefined;
      if (part.kind === 'text') at = yield* matchLiteral(input, part.text, at);
      else {
        const end = yield* matchRun(input, NAME, longestName, at);
        if (part.kind === 'name' || part.kind === 'id') found[part.kind] = input.text.slice(at, end);
        at = end;
      }
    }
    const { name } = found;
    if (at === undefined || name === undefined || !this.#tools.has(name)) return undefined;
    input.take(at);
    return { ...found, name, rest: parts.slice(until) };
  }

  *#arguments(
    style: Extract<CallPart, { kind: 'arguments' }>['style'],
    index: number,
    name: string,
    next: CallPart | undefined,
  ): Steps<void> {
    const emit = (text: string) => this.#emit({ kind: 'arguments', index, text });
    yield* skipSpace(this.#input);
    if (style.kind === 'json') {
      yield* scanJson(this.#input, emit);
      return;
    }
    const properties = this.#tools.get(name)?.properties ?? {};
    emit('{');
    let count = 0;
    while (yield* this.#hasArgument(style, count, next)) {
      const key = yield* this.#key(style.middle);
      if (key === undefined) break;
      emit(`${count++ > 0 ? ', ' : ''}${JSON.stringify(key)}: `);
      yield* this.#value(style, properties[key], emit);
    }
    emit('}');
  }

  /** Takes what stands before the next argument; false where there is none. */
  *#hasArgument({ before, between }: TaggedArguments, count: number, next: CallPart | undefined): Steps<boolean> {
    const input = this.#input;
    const lead = (count > 0 ? between : '') + before;
    if (lead !== '') return yield* literal(input, lead);
    return next?.kind !== 'text' || (yield* matchLiteral(input, next.text)) === undefined;
  }

  *#key(middle: string): Steps<string | undefined> {
    const key = this.#input.take(yield* matchRun(this.#input, NAME, longestName));
    return key !== '' && (yield* literal(this.#input, middle)) ? key : undefined;
  }

  *#value(style: TaggedArguments, schema: unknown, emit: (text: string) => void): Steps<void> {
    const { strings, others, after } = style;
    if (strings === 'raw') {
      const isText = typeof schema === 'object' && schema !== null && 'type' in schema && schema.type === 'string';
      if (isText) return yield* this.#rawText(after, emit);
      let raw = '';
      yield* this.#raw(after, text => {
        raw += text;
      });
      emit(jsonOf(raw, others));
      return;
    }
    if (strings === 'json') yield* scanJson(this.#input, emit);
    else emit(jsonOf(yield* this.#pythonText(), 'python'));
    yield* literal(this.#input, after);
  }

  /** A text as it stands, as a JSON string. */
  *#rawText(after: string, emit: (text: string) => void): Steps<void> {
    emit('"');
    yield* this.#raw(after, text => emit(JSON.stringify(text).slice(1, -1)));
    emit('"');
  }

  /** Everything up to `after`, however that is spaced; one line break before it is the format's where `after` has one. */
  *#raw(after: string, emit: (text: string) => void): Steps<void> {
    const input = this.#input;
    const end = after.trim();
    const lead = after.slice(0, after.length - after.trimStart().length);
    for (;;) {
      const found = input.text.indexOf(end);
      if (found >= 0) {
        const text = input.take(found);
        emit(text.endsWith(lead) ? text.slice(0, text.length - lead.length) : text);
        yield* literal(input, after.trimStart());
        return;
      }
      if (input.ended) return emit(input.take(input.text.length));
      emit(input.take(input.text.length - keptLength(input.text, lead + end, end)));
      yield;
    }
  }

  /** A Python literal: a string, a bracketed expression, or a word. */
  *#pythonText(): Steps<string> {
    const input = this.#input;
    let depth = 0;
    let quote: string | undefined;
    for (let at = 0; ; at++) {
      if (!(yield* input.has(at + 1))) return input.take(at);
      const char = input.text[at] ?? '';
      if (quote !== undefined) {
        if (char === '\\') at++;
        else if (char === quote) quote = undefined;
        continue;
      }
      if (depth === 0 && /[,)\]}]/.test(char)) return input.take(at);
      if (char === "'" || char === '"') quote = char;
      else if (/[([{]/.test(char)) depth++;
      else if (/[)\]}]/.test(char)) depth--;
    }
  }
}

/** Characters at the end of `text` that may belong to one of the ends, which may still come, with the space before them. */
function keptLength(text: string, ...ends: readonly string[]): number {
  const spaced = text.length - text.trimEnd().length;
  return Math.max(
    spaced,
    ...ends.map(end => {
      const held = heldBack(text, end);
      const before = text.slice(0, text.length - held);
      return held > 0 ? held + before.length - before.trimEnd().length : 0;
    }),
  );
}

function jsonOf(raw: string, others: 'json' | 'python'): string {
  const text = raw.trim();
  const json = others === 'python' ? (pythonToJson(text) ?? text) : text;
  return isJson(json) ? json : JSON.stringify(raw);
}
