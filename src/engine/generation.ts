import { RealmError } from '../errors.ts';
import type { Token, Tokenizer } from '../tokenizer/types.ts';
import { StopStrings } from './stop-strings.ts';
import type { GenerateText, TextEvent, TextLogprob, TextRequest } from './text-types.ts';
import type { Engine, EngineEvent, EngineUsage, TokenLogprob } from './types.ts';

const decoder = new TextDecoder();

/** Text generation on an engine: tokens become text as they come, stop strings end it even across token borders. */
export function textGeneration(engine: Engine, tokenizer: Tokenizer): GenerateText {
  return (request, signal) => generate(engine, tokenizer, request, signal);
}

async function* generate(
  engine: Engine,
  tokenizer: Tokenizer,
  request: TextRequest,
  signal: AbortSignal | undefined,
): AsyncGenerator<TextEvent, void> {
  const { id, tenant, tokens, maxTokens, sampling, topLogprobs, stopTokens = [] } = request;
  const ends = [...tokenizer.endOfGeneration, ...stopTokens];
  const events = engine.submit({ id, tenant, tokens, maxTokens, sampling, stopTokens: ends, topLogprobs }, signal);
  const stream = tokenizer.stream();
  const stops = new StopStrings(request.stop);
  let completionTokens = 0;
  for await (const event of events) {
    switch (event.kind) {
      case 'token': {
        completionTokens++;
        const { text, stopped } = stops.push(stream.push(event.token));
        yield { kind: 'text', text, logprobs: logprobsOf(tokenizer, event) };
        if (!stopped) break;
        // Leaving the loop cancels the request in the engine.
        yield { kind: 'end', reason: 'stop', usage: usageSoFar(request, completionTokens) };
        return;
      }
      case 'end': {
        const last = stops.push(stream.end());
        const text = last.stopped ? last.text : last.text + stops.end();
        if (text !== '') yield { kind: 'text', text, logprobs: [] };
        yield event;
        return;
      }
      case 'error':
        throw new RealmError(event.code, event.message, { param: event.param, retryAfter: event.retryAfter });
      default:
        event satisfies never;
    }
  }
}

/** A text that a stop string ended has no end event of the engine's; what its cache gave is not known then. */
function usageSoFar(request: TextRequest, completionTokens: number): EngineUsage {
  return { promptTokens: request.tokens.length, cachedTokens: 0, completionTokens };
}

function logprobsOf(tokenizer: Tokenizer, { logprob }: EngineEvent & { kind: 'token' }): TextLogprob[] {
  if (!logprob) return [];
  const one = ({ token, logprob: value }: { token: Token; logprob: number }) => {
    const bytes = tokenizer.bytes(token, { special: true });
    return { token: decoder.decode(bytes), bytes: [...bytes], logprob: value };
  };
  return [{ ...one(logprob), top: (logprob as TokenLogprob).top.map(one) }];
}
