/** Guests of the tests of ABI v2's functions, and what most of them ask for. */
import assert from 'node:assert/strict';
import { afterEach } from 'node:test';
import { type BoundGuest, boundGuest, readResults, requests, type Wish } from './bound-guest.ts';
import { words as byteWords } from './scripted-sequences.ts';

export const guests: BoundGuest[] = [];
export const made = (...args: Parameters<typeof boundGuest>): BoundGuest => {
  const guest = boundGuest(...args);
  guests.push(guest);
  return guest;
};

/** However a test ends, nothing is left. */
afterEach(async () => {
  for (const guest of guests.splice(0)) {
    guest.end();
    for (let i = 0; i < 20 && guest.open() > 0; i++) await new Promise(setImmediate);
    assert.equal(guest.open(), 0, 'submissions of the host');
    await new Promise(setImmediate);
    assert.deepEqual(guest.run.counts, { submissions: 0, constraints: 0 });
    assert.deepEqual(guest.guest.counts, { sequences: 0, constraints: 0, tickets: 0, parsers: 0 });
  }
});

export const MODEL = 7;
export const chat = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] });

export async function chatOf(guest: BoundGuest): Promise<number> {
  const seq = await guest.call('seq_new', MODEL);
  assert.ok((await guest.call('seq_chat', seq, ...guest.text(chat))) > 0);
  return seq;
}

export async function submitted(guest: BoundGuest, ...wishes: Wish[]): Promise<number> {
  return guest.call('submit', ...requests(guest, wishes));
}

export async function waited(guest: BoundGuest, tickets: number[], { any = 0, logprobs = false } = {}) {
  const bytes = await guest.call('wait', ...guest.words(tickets), any, guest.out, 65_536);
  assert.ok(bytes > 0, `wait answered ${bytes}: ${guest.lastError()}`);
  return readResults(guest.memory.bytes(guest.out, bytes)!, logprobs);
}

export const answerOf = async (guest: BoundGuest, wish: Wish) =>
  (await waited(guest, [await submitted(guest, wish)]))[0]!;
export const textOf = (tokens: readonly number[]) => byteWords.text(tokens as never);

export async function refused(
  guest: BoundGuest,
  code: number,
  words: RegExp,
  name: string,
  ...args: number[]
): Promise<void> {
  assert.equal(await guest.call(name, ...args), code, `${name}: ${guest.lastError()}`);
  assert.match(guest.lastError(), words);
}
