import { RealmError } from '../errors.ts';
import type { Steps } from '../tokenizer/steps.ts';
import type { ModelText } from './model-text.ts';
import { type Chat, type EncodedPrompt, type EncodeOptions, encodePrompt } from './prompt.ts';

export interface ShortenOptions extends EncodeOptions {
  /** Tokens of the context that a chat which is shortened leaves to the answer. */
  readonly room: number;
}

/**
 * The tokens of a chat, which loses its oldest messages where it does not fit: as few as leave the room that is wanted.
 * What the system says and the user's last message always stay. Throws `context_length_exceeded` where these are too long.
 */
export function* encodeShortened(model: ModelText, chat: Chat, options: ShortenOptions): Steps<EncodedPrompt> {
  const whole = yield* encodeIfShort(model, chat, options);
  if (whole) return whole;
  const cuts = cutsOf(chat);
  const short = { ...options, context: options.context - options.room + 1 };
  // The later the cut, the fewer the tokens.
  let [first, last] = [0, cuts.length];
  let best: EncodedPrompt | undefined;
  while (first < last) {
    const middle = (first + last) >> 1;
    const encoded = yield* encodeIfShort(model, cutAt(chat, cuts[middle] ?? 0), short);
    if (encoded) [best, last] = [encoded, middle];
    else first = middle + 1;
  }
  return best ?? (yield* encodePrompt(model, cutAt(chat, cuts.at(-1) ?? 0), options));
}

/** undefined: it does not fit. */
function* encodeIfShort(model: ModelText, chat: Chat, options: EncodeOptions): Steps<EncodedPrompt | undefined> {
  try {
    return yield* encodePrompt(model, chat, options);
  } catch (error) {
    if (error instanceof RealmError && error.code === 'context_length_exceeded') return undefined;
    throw error;
  }
}

/** Where a chat may begin anew: with a turn of the user, as templates want it, and at last with one of the assistant. Results of tools follow their calls. */
function cutsOf({ messages }: Chat): number[] {
  const asked = lastAsked(messages);
  return [...messages.keys()].filter(i => i > 0 && messages[i]?.role === (i > asked ? 'assistant' : 'user'));
}

function cutAt(chat: Chat, cut: number): Chat {
  const asked = lastAsked(chat.messages);
  return { ...chat, messages: chat.messages.filter(({ role }, i) => i >= cut || i === asked || role === 'system') };
}

const lastAsked = (messages: Chat['messages']): number => messages.findLastIndex(({ role }) => role === 'user');
