/** The SDK for programs of ABI v2 (realm2.ts): what most of them need around the host's functions. */
import { field, quote, textOf } from './json';
import * as host from './realm2';

export { realm_alloc } from './realm';

/** What the host refuses ends the program, unless it asks for the code itself. */
export function check(code: i32): i32 {
  if (code < 0) {
    log(3, lastError());
    throw new Error('a call was refused');
  }
  return code;
}

const TOO_SMALL = -3;

const noText = new ArrayBuffer(0);

export function bytesOf(text: string): ArrayBuffer {
  return text.length === 0 ? noText : String.UTF8.encode(text);
}

const at = (bytes: ArrayBuffer): usize => changetype<usize>(bytes);

/** Room for the host's texts; grows when one does not fit. */
let room = new ArrayBuffer(65536);

function roomFor(length: i32): ArrayBuffer {
  if (length > room.byteLength) room = new ArrayBuffer(2 * length);
  return room;
}

const textIn = (length: i32): string => String.UTF8.decodeUnsafe(at(room), length);

export function lastError(): string {
  return textIn(host.last_error(at(room), room.byteLength));
}

/** The request. */
export class Request {
  readonly json: string;
  readonly model: u32;
  /** Most tokens that the client wants. */
  readonly maxTokens: u32;

  constructor(ptr: usize, len: u32) {
    this.json = String.UTF8.decodeUnsafe(ptr, len);
    this.model = <u32>parseInt(field(this.json, 'model'), 10);
    this.maxTokens = <u32>parseFloat(field(this.options, 'max_tokens'));
  }

  get options(): string {
    return field(this.json, 'options');
  }

  get messages(): string {
    return field(this.json, 'messages');
  }

  get tools(): string {
    return field(this.json, 'tools');
  }

  /** Of a call. */
  get input(): string {
    return field(this.json, 'input');
  }

  /** A sequence that the answer goes on from. */
  sequence(): Sequence {
    const sequence = Sequence.of(this.model);
    const messages = this.messages;
    if (messages === '') sequence.text(textOf(field(this.json, 'prompt')), 3);
    else sequence.chat(this.document());
    return sequence;
  }

  /** The chat's document: all that stands behind the options. */
  document(): string {
    const options = this.options;
    return '{' + this.json.substring(this.json.indexOf(options) + options.length + 1);
  }

  /** Tokens that end a text. */
  ends(): u32[] {
    const info = roomText(host.model_info(this.model, at(room), room.byteLength));
    const list = field(info, 'ends');
    const ends: u32[] = [];
    const parts = list.substring(1, list.length - 1).split(',');
    for (let i = 0; i < parts.length; i++) if (parts[i] !== '') ends.push(<u32>parseInt(parts[i], 10));
    return ends;
  }
}

const roomText = (length: i32): string => textIn(check(length));

/** How a sequence is run on. */
export class Wish {
  /** STREAM, LOGPROBS, IGNORE_ENDS, KEEP_END. */
  flags: u32 = 0;
  topK: u32 = 0;
  stops: string[] = [];
  draft: u32[] = [];
  minTokens: u32 = 0;
  maxTokens: u32;

  constructor(maxTokens: u32) {
    this.maxTokens = maxTokens;
  }

  /** One token, which may be an end of text, with its alternatives: for whoever chooses tokens itself. */
  static one(topK: u32): Wish {
    const wish = new Wish(1);
    wish.flags = LOGPROBS | IGNORE_ENDS;
    wish.topK = topK;
    return wish;
  }
}

export const STREAM: u32 = 1;
export const LOGPROBS: u32 = 2;
export const IGNORE_ENDS: u32 = 4;
export const KEEP_END: u32 = 8;

/** Tokens of a model that go on. */
export class Sequence {
  readonly handle: u32;
  readonly model: u32;

  constructor(model: u32, handle: u32) {
    this.model = model;
    this.handle = handle;
  }

  static of(model: u32): Sequence {
    return new Sequence(model, check(host.seq_new(model)));
  }

  /** What was saved as `key`; null: nothing. */
  static open(model: u32, key: string): Sequence | null {
    const name = bytesOf(key);
    const handle = host.seq_open(model, at(name), name.byteLength);
    return handle < 0 ? null : new Sequence(model, handle);
  }

  save(key: string, seconds: u32): void {
    const name = bytesOf(key);
    check(host.seq_save(this.handle, at(name), name.byteLength, seconds));
  }

  free(): void {
    host.seq_free(this.handle);
  }

  chat(document: string): void {
    const bytes = bytesOf(document);
    check(host.seq_chat(this.handle, at(bytes), bytes.byteLength));
  }

  /** Flag 1: control tokens are read as such; 2: with the beginning of a text. */
  text(text: string, flags: u32 = 0): void {
    const bytes = bytesOf(text);
    check(host.seq_text(this.handle, at(bytes), bytes.byteLength, flags));
  }

  push(tokens: u32[]): void {
    check(host.seq_push(this.handle, tokens.dataStart, tokens.length));
  }

  fork(count: i32): Sequence[] {
    const handles = new StaticArray<u32>(count);
    check(host.seq_fork(this.handle, changetype<usize>(handles), count));
    const forks: Sequence[] = [];
    for (let i = 0; i < count; i++) forks.push(new Sequence(this.model, handles[i]));
    return forks;
  }

  truncate(length: u32): void {
    check(host.seq_truncate(this.handle, length));
  }

  /** Puts another token in the last one's place. */
  replaceLast(token: u32): void {
    this.truncate(this.length - 1);
    this.push([token]);
  }

  get length(): i32 {
    return check(host.seq_length(this.handle));
  }

  tokens(from: u32 = 0): u32[] {
    const count = check(host.seq_tokens(this.handle, from, 0, 0));
    const tokens = new Array<u32>(count);
    check(host.seq_tokens(this.handle, from, tokens.dataStart, count));
    return tokens;
  }

  /** JSON: temperature, top_p, top_k, min_p, seed … */
  sampler(json: string): void {
    const bytes = bytesOf(json);
    check(host.seq_sampler(this.handle, at(bytes), bytes.byteLength));
  }

  constrain(constraint: Constraint): void {
    check(host.seq_constrain(this.handle, constraint.handle));
  }

  /** Runs it on and waits. */
  generate(wish: Wish): Result {
    return submit([this], [wish]).wait()[0];
  }
}

const JSON_SCHEMA: u32 = 1;
const CHOICE: u32 = 5;
const TOOLS: u32 = 6;

/** What an answer must be. */
export class Constraint {
  readonly handle: u32;

  constructor(model: u32, kind: u32, source: string) {
    const bytes = bytesOf(source);
    this.handle = check(host.constraint_new(model, kind, at(bytes), bytes.byteLength));
  }

  static schema(model: u32, schema: string): Constraint {
    return new Constraint(model, JSON_SCHEMA, schema);
  }

  static choice(model: u32, choices: string): Constraint {
    return new Constraint(model, CHOICE, choices);
  }

  /** Calls of these tools, or text. */
  static tools(model: u32, tools: string): Constraint {
    return new Constraint(model, TOOLS, '{"tools":' + tools + '}');
  }
}

/** What became of one sequence. */
export class Result {
  reason: u32 = 0;
  error: i32 = 0;
  tokens: u32[] = [];
  /** Of each token; empty unless asked for. */
  logprobs: f32[] = [];
  /** Alternatives, the most likely first: `topK` for each token. */
  topIds: u32[] = [];
  topLogprobs: f32[] = [];
  readonly model: u32;

  constructor(model: u32) {
    this.model = model;
  }

  get text(): string {
    return textOfTokens(this.model, this.tokens);
  }

  /** Log-probability of all of it. */
  get score(): f64 {
    let sum: f64 = 0;
    for (let i = 0; i < this.logprobs.length; i++) sum += this.logprobs[i];
    return sum;
  }
}

export function textOfTokens(model: u32, tokens: u32[]): string {
  const most = roomFor(tokens.length * 64).byteLength;
  return roomText(host.decode(model, tokens.dataStart, tokens.length, at(room), most));
}

/** What runs. */
export class Ticket {
  readonly handle: u32;
  readonly model: u32;
  readonly wishes: Wish[];

  constructor(handle: u32, model: u32, wishes: Wish[]) {
    this.handle = handle;
    this.model = model;
    this.wishes = wishes;
  }

  cancel(): void {
    host.cancel(this.handle);
  }

  wait(): Result[] {
    const tickets: u32[] = [this.handle];
    let size = host.wait(tickets.dataStart, 1, 0, at(room), room.byteLength);
    if (size === TOO_SMALL) {
      roomFor(check(host.wait(tickets.dataStart, 1, 0, 0, 0)));
      size = host.wait(tickets.dataStart, 1, 0, at(room), room.byteLength);
    }
    check(size);
    const results: Result[] = [];
    let from = at(room);
    for (let i = 0; i < this.wishes.length; i++) {
      const result = new Result(this.model);
      from = readResult(from, result, (this.wishes[i].flags & LOGPROBS) !== 0 || this.wishes[i].topK > 0);
      results.push(result);
    }
    return results;
  }
}

function readResult(from: usize, result: Result, hasLogprobs: bool): usize {
  result.reason = load<u32>(from, 12);
  result.error = load<i32>(from, 16);
  const n = load<u32>(from, 20);
  const topK = load<u32>(from, 24);
  from += 32;
  for (let i: u32 = 0; i < n; i++, from += 4) result.tokens.push(load<u32>(from));
  if (!hasLogprobs) return from;
  for (let i: u32 = 0; i < n; i++, from += 4) result.logprobs.push(load<f32>(from));
  for (let i: u32 = 0; i < n * topK; i++, from += 8) {
    result.topIds.push(load<u32>(from));
    result.topLogprobs.push(load<f32>(from, 4));
  }
  return from;
}

/** Runs sequences of one model on, all at once; one wish for all, or one for each. */
export function submit(sequences: Sequence[], wishes: Wish[]): Ticket {
  const count = sequences.length;
  const requests = new StaticArray<u32>(16 * count);
  const kept: ArrayBuffer[] = [];
  const each: Wish[] = [];
  for (let i = 0; i < count; i++) {
    const wish = wishes.length === 1 ? wishes[0] : wishes[i];
    const stops = bytesOf(wish.stops.length === 0 ? '' : stopsJson(wish.stops));
    kept.push(stops);
    each.push(wish);
    const request = changetype<usize>(requests) + 64 * i;
    store<u32>(request, sequences[i].handle);
    store<u32>(request, wish.maxTokens, 4);
    store<u32>(request, wish.flags, 8);
    store<u32>(request, wish.topK, 12);
    store<u32>(request, <u32>at(stops), 24);
    store<u32>(request, stops.byteLength, 28);
    store<u32>(request, <u32>wish.draft.dataStart, 32);
    store<u32>(request, wish.draft.length, 36);
    store<u32>(request, wish.minTokens, 48);
  }
  return new Ticket(check(host.submit(changetype<usize>(requests), count)), sequences[0].model, each);
}

function stopsJson(stops: string[]): string {
  let json = '[';
  for (let i = 0; i < stops.length; i++) json += (i > 0 ? ',' : '') + quote(stops[i]);
  return json + ']';
}

/** Reads an answer in the model's output format: {"content", "reasoning", "tool_calls"}. */
export function parseAnswer(model: u32, tools: string, tokens: u32[]): string {
  const bytes = bytesOf(tools);
  const parser = check(host.parser_new(model, at(bytes), bytes.byteLength));
  // An answer's JSON is rarely longer than all of its tokens written out.
  roomFor(tokens.length * 64);
  const json = roomText(host.parser_feed(parser, tokens.dataStart, tokens.length, at(room), room.byteLength));
  host.parser_free(parser);
  return json;
}

/** Calls one of the operator's tools; empty: it failed, and lastError() says why. */
export function callTool(name: string, input: string): string {
  const n = bytesOf(name);
  const json = bytesOf(input);
  const length = host.tool(at(n), n.byteLength, at(json), json.byteLength, 0, 0);
  if (length < 0) return '';
  roomFor(length);
  return roomText(host.tool(at(n), n.byteLength, at(json), json.byteLength, at(room), room.byteLength));
}

/** Adds to the answer. */
export function say(text: string): void {
  emit(0, text);
}

/** 0 content, 1 reasoning, 2 a call of a tool (JSON), 3 an event (JSON). */
export function emit(kind: u32, text: string): void {
  const bytes = bytesOf(text);
  check(host.emit(kind, at(bytes), bytes.byteLength));
}

export function log(level: u32, text: string): void {
  const bytes = bytesOf(text);
  host.log(level, at(bytes), bytes.byteLength);
}

/** From 0 to 1. */
export function random(): f64 {
  check(host.random(at(room), 4));
  return <f64>load<u32>(at(room)) / 4294967296.0;
}
