import { RealmError } from '../../errors.ts';
import type { SequenceHost } from '../../sandbox/v2/types.ts';
import { type AnswerDelta, newCallId } from '../answer-reader.ts';

type Kind = Parameters<SequenceHost['emit']>[0];

/**
 * What a program says beside text, until its place in the answer comes. One that says thoughts or calls itself has read
 * its model's answers: the rest of its text is content as it stands.
 */
export class Emitted {
  readonly #wants: { readonly chat: boolean; readonly events: boolean };
  readonly #waiting: AnswerDelta[] = [];
  #calls = 0;
  /** Nothing of the text is looked for thoughts and calls any more. */
  readsItself = false;

  /** `chat`: the answer has thoughts and calls; `events`: the client asked for events. */
  constructor(wants: { chat: boolean; events: boolean }) {
    this.#wants = wants;
  }

  /** A completion is text alone: it has no place for thoughts and calls. Throws `program_failed`. */
  add(kind: Kind, text: string): void {
    if (kind !== 'event') this.readsItself = true;
    switch (kind) {
      case 'event': {
        const event = parse(kind, text);
        if (this.#wants.events) this.#waiting.push({ event });
        return;
      }
      case 'reasoning':
        if (this.#wants.chat) this.#waiting.push({ reasoning: text });
        return;
      case 'tool_call': {
        const call = callOf(this.#calls, parse(kind, text));
        this.#calls++;
        if (this.#wants.chat) this.#waiting.push({ calls: [call] });
        return;
      }
      default:
        kind satisfies never;
    }
  }

  /** The reader of its text has seen so many calls before. */
  begin(calls: number): void {
    this.#calls = Math.max(this.#calls, calls);
  }

  take(): AnswerDelta[] {
    return this.#waiting.splice(0);
  }
}

function callOf(index: number, value: unknown) {
  const { name, arguments: given = {} } = (value ?? {}) as { name?: unknown; arguments?: unknown };
  if (typeof name !== 'string') throw refused('tool_call', 'has no name');
  return { index, id: newCallId(), name, arguments: typeof given === 'string' ? given : JSON.stringify(given) };
}

function parse(kind: Kind, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refused(kind, `is no JSON: ${(error as Error).message}`);
  }
}

const refused = (kind: Kind, problem: string) =>
  new RealmError('program_failed', `The program emitted a ${kind} that ${problem}`);
