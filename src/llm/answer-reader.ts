import type { ToolUse } from '../output-format/constraint-source.ts';
import { type OutputEvent, OutputParser, type ToolSchemas } from '../output-format/parser.ts';
import type { OutputFormat } from '../output-format/types.ts';
import { hex } from '../platform/hex.ts';

/** What a piece of an answer adds to it: one of the three, so that pieces keep their order. */
export interface AnswerDelta {
  readonly content?: string;
  /** Thoughts before the answer. */
  readonly reasoning?: string;
  readonly calls?: readonly CallDelta[];
  /** What a program tells a client that has asked for it: no part of the answer. */
  readonly event?: unknown;
}

/** A call's beginning has an id and a name; what follows adds to the JSON text of its arguments. `index`: of the call in the answer. */
export interface CallDelta {
  readonly index: number;
  readonly id?: string;
  readonly name?: string;
  readonly arguments: string;
}

/** Reads the text of an answer as it comes from the program. */
export interface AnswerReader {
  push(text: string): readonly AnswerDelta[];
  end(): readonly AnswerDelta[];
  /** Where in the text the thoughts stand that were read until now. */
  readonly thoughts: readonly Place[];
}

/** From one character to before another. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/** Text that is content and nothing else. */
export const plainReader: AnswerReader = { push: content => [{ content }], end: () => [], thoughts: [] };

/** A reader of the model's format; undefined where there is nothing to read but content. */
export function answerReader(format: OutputFormat, tools: ToolUse | undefined, inReasoning: boolean): AnswerReader {
  if (!tools && !format.reasoning && !format.text) return plainReader;
  const parser = new OutputParser(format, new DeclaredSchemas(tools), { inReasoning });
  return {
    push: text => toDeltas(parser.push(text)),
    end: () => toDeltas(parser.end()),
    thoughts: parser.thoughts,
  };
}

/** The schemas of the declared tools. There may be a thousand: each is read when it is called. */
class DeclaredSchemas extends Map<string, Schema> implements ToolSchemas {
  readonly #texts: ReadonlyMap<string, string>;

  constructor(tools: ToolUse | undefined) {
    const declared = tools?.declared ?? [];
    super(declared.map(({ name }) => [name, undefined]));
    this.#texts = new Map(declared.map(({ name, parameters }) => [name, parameters]));
  }

  override get(name: string): Schema {
    const text = this.#texts.get(name);
    return text === undefined ? undefined : JSON.parse(text);
  }
}

type Schema = ToolSchemas extends ReadonlyMap<string, infer Value> ? Value : never;

function toDeltas(events: readonly OutputEvent[]): AnswerDelta[] {
  const deltas: AnswerDelta[] = [];
  for (const event of events) {
    const delta = toDelta(event);
    if (delta) deltas.push(delta);
  }
  return deltas;
}

function toDelta(event: OutputEvent): AnswerDelta | undefined {
  switch (event.kind) {
    case 'content':
      return { content: event.text };
    case 'reasoning':
      return { reasoning: event.text };
    case 'call':
      return { calls: [{ index: event.index, id: event.id ?? newCallId(), name: event.name, arguments: '' }] };
    case 'arguments':
      return { calls: [{ index: event.index, arguments: event.text }] };
    case 'callEnd':
      return undefined;
    default:
      return event satisfies never;
  }
}

export const newCallId = () => `call_${hex(crypto.getRandomValues(new Uint8Array(12)))}`;
