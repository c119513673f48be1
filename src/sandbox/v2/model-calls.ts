import type { SequenceGuest } from './guest.ts';
import { MAX_NAME_BYTES } from './limits.ts';
import { idle } from './sequence-calls.ts';
import { positionOf } from './submit-request.ts';

/** Calls that ask models for something else than tokens. */

async function model_find(guest: SequenceGuest, at: number, length: number): Promise<number> {
  return guest.ask({ ask: 'find', name: guest.arguments.text(at, length, MAX_NAME_BYTES) });
}

async function model_info(guest: SequenceGuest, modelId: number, out: number, room: number): Promise<number> {
  guest.arguments.checkRoom(out, room);
  const { info } = await guest.model(modelId);
  return guest.arguments.writeText(info, out, room);
}

async function logits(guest: SequenceGuest, handle: number, out: number, room: number): Promise<number> {
  const sequence = idle(guest, handle);
  if (room === 0) return sequence.model.vocabulary;
  guest.arguments.checkRoom(out, room, 4);
  const row = await guest.ask({ ask: 'logits', position: positionOf(sequence) });
  return guest.arguments.writeWords(row, out, room);
}

async function embed(
  guest: SequenceGuest,
  modelId: number,
  at: number,
  length: number,
  out: number,
  room: number,
): Promise<number> {
  const text = guest.arguments.text(at, length);
  guest.arguments.checkRoom(out, room, 4);
  const model = await guest.model(modelId);
  const vector = await guest.once(`embed ${model.id} ${text}`, () =>
    guest.ask({ ask: 'embed', modelId: model.id, text }),
  );
  return guest.arguments.writeWords(vector, out, room);
}

async function decode(
  guest: SequenceGuest,
  modelId: number,
  at: number,
  count: number,
  out: number,
  room: number,
): Promise<number> {
  const tokens = guest.arguments.words(at, count);
  guest.arguments.checkRoom(out, room);
  const model = await guest.model(modelId);
  return guest.arguments.writeText(await guest.ask({ ask: 'decode', modelId: model.id, tokens }), out, room);
}

export const modelCalls = { model_find, model_info, logits, embed, decode };
