import { ranges } from '../../ranges.ts';
import { GuestError } from '../abi.ts';
import type { SequenceGuest } from './guest.ts';
import { MAX_NAME_BYTES, MAX_SOURCE_BYTES } from './limits.ts';
import { Refusal } from './refusal.ts';
import { check, readSampler, wrong } from './sampler.ts';
import { Sequence } from './sequence.ts';
import { TokenList } from './token-list.ts';

/** Calls that make sequences, change them, and read them. */

const MAX_BIASES = 1024;
const TextFlag = { special: 1, begin: 2 } as const;

async function seq_new(guest: SequenceGuest, modelId: number): Promise<number> {
  const model = await guest.model(modelId);
  return guest.sequences.add(() => new Sequence(model, guest.nextOrdinal()));
}

function seq_free(guest: SequenceGuest, handle: number): number {
  const sequence = guest.sequences.get(handle);
  guest.sequences.delete(handle);
  if (sequence.ticket === undefined) sequence.release();
  else {
    sequence.freed = true;
    guest.place.post({ kind: 'cancel_ticket', run: guest.place.run, ticket: sequence.ticket });
  }
  return 0;
}

async function seq_chat(guest: SequenceGuest, handle: number, at: number, length: number): Promise<number> {
  const sequence = idle(guest, handle);
  const document = guest.arguments.text(at, length);
  return append(guest, sequence, await guest.ask({ ask: 'chat', modelId: sequence.model.id, document }));
}

async function seq_text(
  guest: SequenceGuest,
  handle: number,
  at: number,
  length: number,
  flags: number,
): Promise<number> {
  const sequence = idle(guest, handle);
  if (flags & ~(TextFlag.special | TextFlag.begin)) throw wrong(`there is no flag ${flags}`);
  const text = guest.arguments.text(at, length);
  const how = { special: (flags & TextFlag.special) !== 0, begin: (flags & TextFlag.begin) !== 0 };
  return append(guest, sequence, await guest.ask({ ask: 'text', modelId: sequence.model.id, text, how }));
}

function append(guest: SequenceGuest, sequence: Sequence, tokens: Int32Array): number {
  guest.checkTokens(tokens.length);
  sequence.appendPrompt(Uint32Array.from(tokens));
  return sequence.length;
}

function seq_push(guest: SequenceGuest, handle: number, at: number, count: number): number {
  const sequence = idle(guest, handle);
  const tokens = guest.arguments.words(at, count);
  checkVocabulary(sequence, tokens);
  guest.checkTokens(tokens.length);
  sequence.push(tokens);
  return sequence.length;
}

function seq_fork(guest: SequenceGuest, handle: number, out: number, count: number): number {
  const origin = idle(guest, handle);
  const forks = count >>> 0;
  guest.arguments.checkRoom(out, forks, 4);
  guest.sequences.checkRoom(forks);
  if (forks > guest.left.forks) {
    throw new Refusal(GuestError.limit, `a run forks at most ${guest.limits.forks} times`);
  }
  guest.checkTokens(forks * origin.length);
  guest.left.forks -= forks;
  const handles = Uint32Array.from({ length: forks }, () =>
    guest.sequences.add(() => origin.fork(guest.nextOrdinal())),
  );
  return guest.arguments.writeWords(handles, out, forks);
}

function seq_truncate(guest: SequenceGuest, handle: number, length: number): number {
  const sequence = idle(guest, handle);
  sequence.truncate(length >>> 0);
  return sequence.length;
}

function seq_tokens(guest: SequenceGuest, handle: number, from: number, out: number, room: number): number {
  const { tokens } = guest.sequences.get(handle);
  return guest.arguments.writeWords(tokens.slice(from >>> 0), out, room);
}

const seq_length = (guest: SequenceGuest, handle: number): number => guest.sequences.get(handle).length;

async function seq_save(
  guest: SequenceGuest,
  handle: number,
  at: number,
  length: number,
  ttlSeconds: number,
): Promise<number> {
  const { tokens, answered, adapter } = idle(guest, handle);
  const key = guest.arguments.text(at, length, MAX_NAME_BYTES);
  const saved = { tokens: tokens.slice(), answered, adapter };
  await guest.ask({ ask: 'save', key, saved, ttlSeconds: ttlSeconds >>> 0 });
  return 0;
}

async function seq_open(guest: SequenceGuest, modelId: number, at: number, length: number): Promise<number> {
  const key = guest.arguments.text(at, length, MAX_NAME_BYTES);
  guest.sequences.checkRoom();
  const model = await guest.model(modelId);
  const saved = await guest.ask({ ask: 'open', modelId: model.id, key });
  if (!saved) throw new Refusal(GuestError.noHandle, `nothing is saved as ${key}, or no longer`);
  guest.checkTokens(saved.tokens.length);
  const sequence = new Sequence(model, guest.nextOrdinal(), new TokenList(saved.tokens));
  sequence.answered = saved.answered;
  sequence.adapter = saved.adapter;
  return guest.sequences.add(() => sequence);
}

function seq_sampler(guest: SequenceGuest, handle: number, at: number, length: number): number {
  const sequence = idle(guest, handle);
  sequence.sampling = readSampler(guest.arguments.text(at, length, MAX_SOURCE_BYTES));
  return 0;
}

async function seq_adapter(guest: SequenceGuest, handle: number, at: number, length: number): Promise<number> {
  const sequence = idle(guest, handle);
  const name = guest.arguments.text(at, length, MAX_NAME_BYTES);
  if (name !== '') await guest.ask({ ask: 'adapter', modelId: sequence.model.id, name });
  sequence.adapter = name === '' ? undefined : name;
  return 0;
}

function seq_bias(guest: SequenceGuest, handle: number, at: number, count: number, sticky: number): number {
  const sequence = idle(guest, handle);
  if (sticky >>> 0 > 1) throw wrong('sticky is 0 or 1');
  const words = guest.arguments.words(at, count * 2, MAX_BIASES * 2);
  checkVocabulary(
    sequence,
    words.filter((_, index) => index % 2 === 0),
  );
  const values = new Float32Array(words.buffer);
  const bias = new Map<number, number>();
  for (let i = 0; i < words.length; i += 2) {
    check(values[i + 1]!, ranges.logitBias);
    bias.set(words[i]!, values[i + 1]!);
  }
  if (sticky) sequence.bias = bias;
  else sequence.nextBias = bias;
  return 0;
}

function seq_mask(guest: SequenceGuest, handle: number, at: number, count: number): number {
  const sequence = idle(guest, handle);
  const words = Math.ceil(sequence.model.vocabulary / 32);
  if (count >>> 0 !== words) {
    throw wrong(`a mask of ${count >>> 0} words; ${words} are right for ${sequence.model.vocabulary} tokens`);
  }
  const mask = guest.arguments.words(at, count);
  const tail = sequence.model.vocabulary % 32;
  if (tail > 0) mask[words - 1]! &= 2 ** tail - 1;
  if (mask.every(word => word === 0)) throw wrong('a mask that lets nothing follow');
  sequence.mask = mask;
  return 0;
}

/** Throws -10, or -7 while a ticket of it is open. */
export function idle(guest: SequenceGuest, handle: number): Sequence {
  const sequence = guest.sequences.get(handle);
  sequence.checkIdle();
  return sequence;
}

export function checkVocabulary({ model: { vocabulary } }: Sequence, tokens: Uint32Array): void {
  const unknown = tokens.find(token => token >= vocabulary);
  if (unknown !== undefined) throw wrong(`there is no token ${unknown}; the vocabulary has ${vocabulary}`);
}

export const sequenceCalls = {
  seq_new,
  seq_free,
  seq_chat,
  seq_text,
  seq_push,
  seq_fork,
  seq_truncate,
  seq_tokens,
  seq_length,
  seq_save,
  seq_open,
  seq_sampler,
  seq_adapter,
  seq_bias,
  seq_mask,
};
