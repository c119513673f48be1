/** The functions of module `realm2` bound to a memory and a host, without a program: a test calls them as one would. */
import { GuestMemory } from '../../src/sandbox/guest-memory.ts';
import { SequenceGuest } from '../../src/sandbox/v2/guest.ts';
import { boundCalls } from '../../src/sandbox/v2/imports.ts';
import type { HeldLimits } from '../../src/sandbox/v2/limits.ts';
import type { FromSequences, ToSequences } from '../../src/sandbox/v2/messages.ts';
import { SequenceRun } from '../../src/sandbox/v2/sequence-run.ts';
import { defaultRunLimits } from '../../src/tenancy/program-limits.ts';
import { type Scripted, scripted } from './scripted-sequences.ts';

const PAGES = 4;

export function boundGuest(
  script: Scripted = scripted(),
  { limits, seed = 0n }: { limits?: Partial<HeldLimits>; seed?: bigint } = {},
) {
  const memory = new GuestMemory(new WebAssembly.Memory({ initial: PAGES }));
  const over = new AbortController();
  const said: string[] = [];
  const streamed: string[] = [];
  const state = { hostFailed: false, spent: 0, dead: undefined as Error | undefined };
  const turn =
    <T>(deliver: (message: T) => void) =>
    (message: T) => {
      setImmediate(() => deliver(structuredClone(message)));
    };
  const guest: SequenceGuest = new SequenceGuest({
    run: 1,
    seed,
    limits: { ...defaultRunLimits, ...limits },
    memory: () => memory,
    post: turn<FromSequences>(message => run.receive(message)),
    stream: bytes => said.push(new TextDecoder().decode(bytes)),
    readerCaughtUp: async () => {},
    myTurn: () => undefined,
    checkAlive: () => {
      if (state.dead) throw state.dead;
    },
    noteHost: failed => {
      state.hostFailed = failed;
    },
    fuelLeft: () => 1e6 - state.spent,
    spend: units => {
      state.spent += units;
    },
  });
  const errors: unknown[] = [];
  const run = new SequenceRun({
    host: script.host,
    run: 1,
    over: over.signal,
    send: turn<ToSequences>(message => guest.receive(message)),
    stream: text => {
      streamed.push(text);
      return undefined;
    },
    emit: ({ what, text }) => script.sequences.emit(what, text),
    failed: error => errors.push(error),
    submissions: { open: 0 },
    delayMs: () => 0,
  });
  let free = 1024;
  const place = (bytes: Uint8Array): [at: number, length: number] => {
    const at = free;
    memory.bytes(at, bytes.length)!.set(bytes);
    free += (bytes.length + 7) & ~7;
    return [at, bytes.length];
  };
  const words = (values: Iterable<number>): [at: number, count: number] => {
    const list = Uint32Array.from(values);
    return [place(new Uint8Array(list.buffer))[0], list.length];
  };
  const text = (value: string) => place(new TextEncoder().encode(value));
  const calls = boundCalls(guest);
  return {
    ...script,
    guest,
    run,
    memory,
    said,
    streamed,
    errors,
    state,
    text,
    words,
    place,
    call: async (name: string, ...args: number[]): Promise<number> => calls[name]!(...args),
    /** Room at the memory's end. */
    out: 2 * 65_536,
    size: PAGES * 65_536,
    readText: (length: number) => memory.text(2 * 65_536, length)!,
    readWords: (count: number) => memory.words(2 * 65_536, count)!,
    lastError: () => guest.error,
    /** As the place does when the run ends. */
    end: () => {
      over.abort();
      run.end();
      guest.close();
    },
    kill: (error: Error) => {
      state.dead = error;
      guest.kill(error);
    },
  };
}

export type BoundGuest = ReturnType<typeof boundGuest>;

export interface Wish {
  readonly seq: number;
  readonly maxTokens?: number;
  readonly flags?: number;
  readonly topK?: number;
  readonly stopIds?: readonly number[];
  readonly stopTexts?: readonly string[];
  readonly draft?: readonly number[];
  readonly scoreIds?: readonly number[];
  readonly minTokens?: number;
}

/** Writes requests as `submit` reads them; their address and number. */
export function requests({ place, words, text }: BoundGuest, wishes: readonly Wish[]): [at: number, count: number] {
  const list = new Uint32Array(wishes.length * 16);
  for (const [i, wish] of wishes.entries()) {
    const stops = wish.stopTexts ? text(JSON.stringify(wish.stopTexts)) : [0, 0];
    list.set(
      [
        ...[wish.seq, wish.maxTokens ?? 100, wish.flags ?? 0, wish.topK ?? 0],
        ...words(wish.stopIds ?? []),
        ...stops,
        ...words(wish.draft ?? []),
        ...words(wish.scoreIds ?? []),
        wish.minTokens ?? 0,
      ],
      i * 16,
    );
  }
  return [place(new Uint8Array(list.buffer))[0], wishes.length];
}

export interface Result {
  readonly ticket: number;
  readonly index: number;
  readonly seq: number;
  readonly reason: number;
  readonly error: number;
  readonly tokens: number[];
  readonly logprobs: number[];
  readonly top: [token: number, logprob: number][][];
  readonly scores: number[][];
}

/** Reads records as a program would, which knows whether it has asked for log-probabilities. */
export function readResults(bytes: Uint8Array, hasLogprobs = false): Result[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const results: Result[] = [];
  let at = 0;
  const next = () => {
    at += 4;
    return at - 4;
  };
  const word = () => view.getUint32(next(), true);
  const float = () => view.getFloat32(next(), true);
  const many = <T>(count: number, read: () => T): T[] => Array.from({ length: count }, () => read());
  while (at < bytes.length) {
    const [ticket, index, seq, reason] = [word(), word(), word(), word()];
    const error = word() | 0;
    const [n, topK, scored] = [word(), word(), word()];
    const tokens = many(n, word);
    const logprobs = hasLogprobs ? many(n, float) : [];
    const top = hasLogprobs ? many(n, () => many(topK, (): [number, number] => [word(), float()])) : [];
    const scores = hasLogprobs ? many(n, () => many(scored, float)) : [];
    results.push({ ticket, index, seq, reason, error, tokens, logprobs, top, scores });
  }
  return results;
}
