import type { SequenceGuest } from './guest.ts';
import { MAX_SOURCE_BYTES } from './limits.ts';
import { TokenList } from './token-list.ts';

/** Calls that read answers in their model's output format. */

async function parser_new(guest: SequenceGuest, modelId: number, at: number, length: number): Promise<number> {
  guest.parsers.checkRoom();
  const tools = guest.arguments.text(at, length, MAX_SOURCE_BYTES);
  const model = await guest.model(modelId);
  return guest.parsers.add(() => ({ model, tools, tokens: new TokenList() }));
}

/** What was fed counts once its answer has been written. */
async function parser_feed(
  guest: SequenceGuest,
  handle: number,
  at: number,
  count: number,
  out: number,
  room: number,
): Promise<number> {
  const { model, tools, tokens } = guest.parsers.get(handle);
  const fed = guest.arguments.words(at, count);
  guest.arguments.checkRoom(out, room);
  guest.checkTokens(fed.length);
  const all = tokens.copy();
  all.append(fed);
  const answer = await guest.ask({ ask: 'parse', modelId: model.id, tools, tokens: all.slice() });
  all.release();
  const written = guest.arguments.writeText(answer, out, room);
  if (room !== 0) tokens.append(fed);
  return written;
}

function parser_free(guest: SequenceGuest, handle: number): number {
  guest.parsers.get(handle).tokens.release();
  guest.parsers.delete(handle);
  return 0;
}

export const parserCalls = { parser_new, parser_feed, parser_free };
