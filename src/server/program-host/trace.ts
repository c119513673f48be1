import type { EngineUsage, FinishReason } from '../../engine/request.ts';
import type { RealmError } from '../../errors.ts';
import type { Place } from '../../llm/answer-reader.ts';
import type { TextEnd, TextLogprob } from '../../llm/types.ts';
import { addUsage, noUsage } from '../../llm/usage.ts';
import type { Token } from '../../tokenizer/types.ts';
import { Recordings } from './recordings.ts';

/** What the program's calls to the engine leave behind, beside the text that goes through the program. */
export interface Trace {
  /** Of tokens whose text has not been streamed yet, and the text generated before each. */
  readonly logprobs: { readonly start: number; readonly values: readonly TextLogprob[] }[];
  /** Of the tokens of the client's own prompt, where they are wanted and the program has asked for it. */
  readonly prompt: TextLogprob[];
  scored: boolean;
  /** Calls that the answer's end waits for. */
  readonly recordings: Recordings;
  /** Characters generated, as JavaScript counts them. */
  generated: number;
  /** The same in code points, behind those of a prompt that is repeated; counted where offsets are wanted. */
  characters: number;
  reason: FinishReason;
  /** What ended the last call. */
  stopString: string | undefined;
  /** Over all calls until now, also when the request ends before they do. */
  usage: EngineUsage;
  /** Prompt and answer of the last call to the request's own model. */
  tokens: readonly Token[];
  /** Where the text of each token begins, of a model that may think. */
  readonly starts: number[];
  /** Where its thoughts stand. */
  thoughts: readonly Place[];
  /** What the client asked for, and a program that has sequences of its own cannot give. */
  refused: RealmError | undefined;
  /** The prompt of the first call had begun the model's thoughts. */
  inReasoning: boolean | undefined;
}

export const newTrace = (): Trace => ({
  logprobs: [],
  prompt: [],
  scored: false,
  recordings: new Recordings(),
  generated: 0,
  characters: 0,
  reason: 'stop',
  stopString: undefined,
  usage: noUsage,
  tokens: [],
  starts: [],
  thoughts: [],
  refused: undefined,
  inReasoning: undefined,
});

/** How many of the answer's tokens are thoughts and their markers. */
export function thoughtTokens({ starts, thoughts }: Trace): number {
  return starts.filter(at => thoughts.some(({ start, end }) => start <= at && at < end)).length;
}

/** For one call to an engine: sets what it has used until now, as a part of all. */
export function tally(trace: Trace): (usage: EngineUsage) => void {
  let before = noUsage;
  return usage => {
    trace.usage = addUsage(trace.usage, {
      promptTokens: usage.promptTokens - before.promptTokens,
      cachedTokens: usage.cachedTokens - before.cachedTokens,
      completionTokens: usage.completionTokens - before.completionTokens,
    });
    before = usage;
  };
}

/** How the answer would end if this was its last call. */
export function noteEnd(trace: Trace, { reason, stopString }: Pick<TextEnd, 'reason' | 'stopString'>): void {
  // Cancelled here means that the program has enough.
  trace.reason = reason === 'cancelled' ? 'stop' : reason;
  trace.stopString = stopString;
}
