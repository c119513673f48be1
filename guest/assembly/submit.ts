/** Running sequences on, and what becomes of them. */
import { quote } from './json';
import * as host from './realm2';
import { at, bytesOf, check, room, roomFor, roomText, TOO_SMALL } from './texts';

/** A sequence as the host knows it. */
export class SequenceHandle {
  readonly handle: u32;
  readonly model: u32;

  constructor(model: u32, handle: u32) {
    this.model = model;
    this.handle = handle;
  }
}

/** How a sequence is run on. */
export class Wish {
  /** STREAM, LOGPROBS, IGNORE_ENDS, KEEP_END. */
  flags: u32 = 0;
  topK: u32 = 0;
  stopTokens: u32[] = [];
  stops: string[] = [];
  draft: u32[] = [];
  /** Tokens whose log-probability is wanted at each place. */
  scored: u32[] = [];
  minTokens: u32 = 0;
  maxTokens: u32;

  constructor(maxTokens: u32) {
    this.maxTokens = maxTokens;
  }

  get hasLogprobs(): bool {
    return (this.flags & LOGPROBS) !== 0 || this.topK > 0 || this.scored.length > 0;
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
  /** For each token, of each that was to be scored. */
  scores: f32[] = [];
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
  /** One for each sequence, once it is complete. */
  results: Result[] = [];

  constructor(handle: u32, model: u32, wishes: Wish[]) {
    this.handle = handle;
    this.model = model;
    this.wishes = wishes;
  }

  /** It is complete soon; what came until then stays. */
  cancel(): void {
    host.cancel(this.handle);
  }

  wait(): Result[] {
    if (this.results.length === 0) waitFor([this], false);
    return this.results;
  }
}

/** Waits until one of them is complete: gives those that are, with their results. They are not to be waited for again. */
export function waitAny(tickets: Ticket[]): Ticket[] {
  return waitFor(tickets, true);
}

function waitFor(tickets: Ticket[], any: bool): Ticket[] {
  const handles: u32[] = [];
  for (let i = 0; i < tickets.length; i++) handles.push(tickets[i].handle);
  let size = host.wait(handles.dataStart, handles.length, <u32>any, at(room), room.byteLength);
  // More may be complete by the next look.
  while (size === TOO_SMALL) {
    roomFor(check(host.wait(handles.dataStart, handles.length, <u32>any, 0, 0)));
    size = host.wait(handles.dataStart, handles.length, <u32>any, at(room), room.byteLength);
  }
  const end = at(room) + check(size);
  const complete: Ticket[] = [];
  for (let from = at(room); from < end; ) {
    const ticket = tickets[handles.indexOf(load<u32>(from))];
    for (let i = 0; i < ticket.wishes.length; i++) {
      const result = new Result(ticket.model);
      from = readResult(from, result, ticket.wishes[i].hasLogprobs);
      ticket.results.push(result);
    }
    complete.push(ticket);
  }
  return complete;
}

function readResult(from: usize, result: Result, hasLogprobs: bool): usize {
  result.reason = load<u32>(from, 12);
  result.error = load<i32>(from, 16);
  const n = load<u32>(from, 20);
  const topK = load<u32>(from, 24);
  const scored = load<u32>(from, 28);
  from += 32;
  for (let i: u32 = 0; i < n; i++, from += 4) result.tokens.push(load<u32>(from));
  if (!hasLogprobs) return from;
  for (let i: u32 = 0; i < n; i++, from += 4) result.logprobs.push(load<f32>(from));
  for (let i: u32 = 0; i < n * topK; i++, from += 8) {
    result.topIds.push(load<u32>(from));
    result.topLogprobs.push(load<f32>(from, 4));
  }
  for (let i: u32 = 0; i < n * scored; i++, from += 4) result.scores.push(load<f32>(from));
  return from;
}

/** Runs sequences of one model on, all at once; one wish for all, or one for each. */
export function submit<T extends SequenceHandle>(sequences: T[], wishes: Wish[]): Ticket {
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
    store<u32>(request, <u32>wish.stopTokens.dataStart, 16);
    store<u32>(request, wish.stopTokens.length, 20);
    store<u32>(request, <u32>at(stops), 24);
    store<u32>(request, stops.byteLength, 28);
    store<u32>(request, <u32>wish.draft.dataStart, 32);
    store<u32>(request, wish.draft.length, 36);
    store<u32>(request, <u32>wish.scored.dataStart, 40);
    store<u32>(request, wish.scored.length, 44);
    store<u32>(request, wish.minTokens, 48);
  }
  return new Ticket(check(host.submit(changetype<usize>(requests), count)), sequences[0].model, each);
}

function stopsJson(stops: string[]): string {
  let json = '[';
  for (let i = 0; i < stops.length; i++) json += (i > 0 ? ',' : '') + quote(stops[i]);
  return json + ']';
}
