import { readTexts } from './constraint-calls.ts';
import type { SequenceGuest } from './guest.ts';
import {
  MAX_DRAFT,
  MAX_RECORD_BYTES,
  MAX_SCORED,
  MAX_SOURCE_BYTES,
  MAX_STOP_CHARACTERS,
  MAX_STOP_TEXTS,
  MAX_STOP_TOKENS,
  MAX_TOP_K,
} from './limits.ts';
import type { SentSubmission } from './messages.ts';
import { tokenBytes } from './record.ts';
import { seedOf, wrong } from './sampler.ts';
import type { Sequence } from './sequence.ts';
import { checkVocabulary, idle } from './sequence-calls.ts';

/** One request of a `submit` as it stands in memory. */

export const REQUEST_BYTES = 64;
const RESERVED = 52;

const Flag = { stream: 1, logprobs: 2, ignoreEnds: 4, keepEnd: 8 } as const;
const flags = Object.values(Flag).reduce((all, flag) => all | flag, 0);

interface Read {
  readonly handle: number;
  readonly sequence: Sequence;
  readonly submission: SentSubmission;
}

export function readRequest(guest: SequenceGuest, view: DataView, at: number): Read {
  const word = (offset: number) => view.getUint32(at + offset, true);
  const tokens = (offset: number, most: number) => {
    const list = guest.arguments.words(word(offset), word(offset + 4), most);
    checkVocabulary(sequence, list);
    return list;
  };
  const handle = word(0);
  const sequence = idle(guest, handle);
  if (sequence.length === 0) throw wrong('the sequence is empty: give it a prompt first');
  const said = word(8);
  if (said & ~flags) throw wrong(`there is no flag ${said}`);
  for (let i = RESERVED; i < REQUEST_BYTES; i += 4) if (word(i) !== 0) throw wrong(`byte ${i} is reserved: write 0`);
  const topK = word(12);
  if (topK > MAX_TOP_K) throw wrong(`top_k ${topK}; ${MAX_TOP_K} are allowed`);
  const draft = tokens(32, MAX_DRAFT);
  const scored = tokens(40, MAX_SCORED);
  const topLogprobs = said & Flag.logprobs || topK > 0 || scored.length > 0 ? topK : undefined;
  const submission: SentSubmission = {
    ...positionOf(sequence),
    answered: sequence.answered,
    maxTokens: Math.min(word(4), longest(topLogprobs, scored.length)),
    minTokens: word(48),
    sampling: samplingOf(sequence, guest.place.seed),
    nextBias: sequence.nextBias && asArray(sequence.nextBias),
    stopTokens: [...tokens(16, MAX_STOP_TOKENS)],
    stop: readStops(guest.arguments.text(word(24), word(28), MAX_SOURCE_BYTES)),
    ignoreEnds: (said & Flag.ignoreEnds) !== 0,
    keepEnd: (said & Flag.keepEnd) !== 0,
    constraint: sequence.constraint?.id,
    mask: sequence.mask,
    draft: draft.length > 0 ? draft : undefined,
    topLogprobs,
    scored: scored.length > 0 ? [...scored] : undefined,
    streams: (said & Flag.stream) !== 0,
  };
  return { handle, sequence, submission };
}

export const positionOf = ({ model, adapter, tokens }: Sequence) => ({
  modelId: model.id,
  adapter,
  tokens: tokens.slice(),
});

/** Records stay small enough to be kept until somebody waits for them. */
const longest = (topLogprobs: number | undefined, scored: number): number =>
  topLogprobs === undefined ? Number.POSITIVE_INFINITY : Math.floor(MAX_RECORD_BYTES / tokenBytes(topLogprobs, scored));

function samplingOf({ sampling, bias, ordinal }: Sequence, seed: bigint): SentSubmission['sampling'] {
  return {
    ...sampling,
    seed: sampling.seed ?? seedOf(seed, ordinal),
    ...(bias.size > 0 && { logitBias: asArray(bias) }),
  };
}

const asArray = (bias: ReadonlyMap<number, number>): Float64Array => Float64Array.from([...bias].flat());

function readStops(text: string): string[] {
  if (text === '') return [];
  const stops = readTexts(text);
  if (stops.length > MAX_STOP_TEXTS) throw wrong(`${stops.length} stop texts; ${MAX_STOP_TEXTS} are allowed`);
  if (stops.some(stop => stop === '' || stop.length > MAX_STOP_CHARACTERS)) {
    throw wrong(`a stop text has 1 to ${MAX_STOP_CHARACTERS} characters`);
  }
  return stops;
}
