import type { SequenceGuest } from './guest.ts';
import { MAX_LOG_BYTES, MAX_NAME_BYTES, MAX_RANDOM_BYTES } from './limits.ts';
import type { EmittedKind, LogLevel } from './messages.ts';
import { parseObject, wrong } from './sampler.ts';

/** Calls about the run itself: what it says, what it may still do. */

const last_error = (guest: SequenceGuest, out: number, room: number): number =>
  guest.arguments.writeText(guest.error, out, room);

/** What is emitted beside content (0). */
const emitted: readonly (EmittedKind | undefined)[] = [undefined, 'reasoning', 'tool_call', 'event'];

function emit(guest: SequenceGuest, kind: number, at: number, length: number): number {
  if (kind === 0) {
    const bytes = guest.arguments.bytes(at, length);
    guest.say(bytes.length);
    guest.place.stream(bytes);
    return 0;
  }
  const what = emitted[kind >>> 0];
  if (!what) throw wrong(`there is no kind ${kind >>> 0} of output; they are 0 to 3`);
  const text = guest.arguments.text(at, length);
  checkEmitted(what, text);
  guest.say(length >>> 0);
  guest.place.noteHost(false);
  guest.place.post({ kind: 'emit', run: guest.place.run, what, text });
  return 0;
}

function checkEmitted(what: EmittedKind, text: string): void {
  if (what === 'reasoning') return;
  const { name, arguments: input } = parseObject(text);
  if (what === 'event') return;
  if (typeof name !== 'string' || name === '') throw wrong('a call has the name of its tool');
  if (typeof input !== 'object' || input === null) throw wrong('the arguments of a call are a JSON object');
}

async function tool(
  guest: SequenceGuest,
  nameAt: number,
  nameLength: number,
  at: number,
  length: number,
  out: number,
  room: number,
): Promise<number> {
  const name = guest.arguments.text(nameAt, nameLength, MAX_NAME_BYTES);
  const input = guest.arguments.text(at, length);
  guest.arguments.checkRoom(out, room);
  const answer = await guest.once(`tool ${name}\n${input}`, () => guest.ask({ ask: 'tool', name, input }));
  const written = guest.arguments.writeText(answer, out, room);
  if (room !== 0) guest.forget();
  return written;
}

async function budget(guest: SequenceGuest, out: number, room: number): Promise<number> {
  guest.arguments.checkRoom(out, room);
  const host = parseObject(await guest.ask({ ask: 'budget' }));
  const { sequences, tickets, left } = guest;
  const run = {
    fuel: guest.place.fuelLeft(),
    sequences: sequences.room,
    forks: left.forks,
    tickets: tickets.room,
    host_calls: left.hostCalls,
    output_bytes: left.outputBytes,
  };
  return guest.arguments.writeText(JSON.stringify({ ...host, run }), out, room);
}

function random(guest: SequenceGuest, out: number, count: number): number {
  if (count >>> 0 > MAX_RANDOM_BYTES) throw wrong(`${count >>> 0} random bytes; ${MAX_RANDOM_BYTES} are allowed`);
  guest.arguments.bytes(out, count).set(guest.random.bytes(count >>> 0));
  return count >>> 0;
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

function log(guest: SequenceGuest, level: number, at: number, length: number): number {
  const named = levels[level >>> 0];
  if (!named) throw wrong(`there is no level ${level >>> 0}; they are 0 to 3`);
  const text = guest.arguments.text(at, length, MAX_LOG_BYTES);
  guest.say(length >>> 0);
  guest.place.post({ kind: 'log', run: guest.place.run, level: named, text });
  return 0;
}

export const runCalls = { last_error, emit, tool, budget, random, log };
