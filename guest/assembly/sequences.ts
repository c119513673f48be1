/** The SDK for programs of ABI v2 (realm2.ts): what most of them need around the host's functions. */
import { Constraint, Mask } from './constraint';
import { field, textOf } from './json';
import * as host from './realm2';
import { Result, SequenceHandle, submit, Wish } from './submit';
import { at, bytesOf, check, room, roomFor, roomText } from './texts';

export * from './constraint';
export { realm_alloc } from './realm';
export * from './submit';
export { bytesOf, check, lastError, log } from './texts';

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

  /** JSON: id, context, vocab_size, ends … */
  modelInfo(): string {
    return roomText(host.model_info(this.model, at(room), room.byteLength));
  }

  /** Tokens that end a text. */
  ends(): u32[] {
    const list = field(this.modelInfo(), 'ends');
    const ends: u32[] = [];
    const parts = list.substring(1, list.length - 1).split(',');
    for (let i = 0; i < parts.length; i++) if (parts[i] !== '') ends.push(<u32>parseInt(parts[i], 10));
    return ends;
  }
}

/** Tokens of a model that go on. */
export class Sequence extends SequenceHandle {
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

  /** Empty: none. */
  adapter(name: string): void {
    const bytes = bytesOf(name);
    check(host.seq_adapter(this.handle, at(bytes), bytes.byteLength));
  }

  /** Added to the logits of tokens: of the next one only, or of all that follow. */
  bias(tokens: u32[], biases: f32[], sticky: bool): void {
    const pairs = new StaticArray<u32>(2 * tokens.length);
    for (let i = 0; i < tokens.length; i++) {
      pairs[2 * i] = tokens[i];
      pairs[2 * i + 1] = reinterpret<u32>(biases[i]);
    }
    check(host.seq_bias(this.handle, changetype<usize>(pairs), tokens.length, <u32>sticky));
  }

  /** What the next token may be. */
  mask(mask: Mask): void {
    check(host.seq_mask(this.handle, changetype<usize>(mask.bits), mask.bits.length));
  }

  /** Of the next token, for each of the vocabulary. */
  logits(): f32[] {
    const logits = new Array<f32>(check(host.logits(this.handle, 0, 0)));
    check(host.logits(this.handle, logits.dataStart, logits.length));
    return logits;
  }

  /** Holds for what is generated from now on; null lifts it. */
  constrain(constraint: Constraint | null): void {
    check(host.seq_constrain(this.handle, constraint ? constraint.handle : 0));
  }

  /** Runs it on and waits. */
  generate(wish: Wish): Result {
    return submit([this], [wish]).wait()[0];
  }
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

/** A text's embedding. */
export function embed(model: u32, text: string): f32[] {
  const bytes = bytesOf(text);
  const vector = new Array<f32>(check(host.embed(model, at(bytes), bytes.byteLength, 0, 0)));
  check(host.embed(model, at(bytes), bytes.byteLength, vector.dataStart, vector.length));
  return vector;
}

/** What the run may still do, as JSON. */
export function budget(): string {
  return roomText(host.budget(at(room), room.byteLength));
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

/** From 0 to 1. */
export function random(): f64 {
  check(host.random(at(room), 4));
  return <f64>load<u32>(at(room)) / 4294967296.0;
}
