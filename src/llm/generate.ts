import { errorOf } from '../engine/failure.ts';
import type { EngineEvent, GenerateRequest, Sampling } from '../engine/request.ts';
import type { Engine } from '../engine/types.ts';
import type { Token, Tokenizer } from '../tokenizer/types.ts';
import type { ModelText } from './model-text.ts';
import { markersOf } from './output-format.ts';
import { StopStrings } from './stop-strings.ts';
import type { GenerateText, TextEvent, TextLogprob } from './types.ts';

const decoder = new TextDecoder();

/** Text generation on an engine: tokens become text as they come, stop strings end it even across token borders. */
export function textGeneration(engine: Engine, { tokenizer, format = {} }: TextOut, defaults?: Sampling): GenerateText {
  const markers = markersOf(format, tokenizer);
  return (request, signal) => generate(engine, tokenizer, markers, withDefaults(request, defaults), signal);
}

/** What makes text of tokens. */
type TextOut = Pick<ModelText, 'tokenizer'> & Partial<Pick<ModelText, 'format'>>;

/** The request with the model's own sampling where it says nothing itself. */
export function withDefaults(request: GenerateRequest, defaults: Sampling = {}): GenerateRequest {
  const said = Object.entries(request.sampling).filter(([, value]) => value !== undefined);
  return { ...request, sampling: { ...defaults, ...Object.fromEntries(said) } };
}

async function* generate(
  engine: Engine,
  tokenizer: Tokenizer,
  markers: ReadonlySet<Token>,
  request: GenerateRequest,
  signal: AbortSignal | undefined,
): AsyncGenerator<TextEvent, void> {
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const stream = tokenizer.stream({ special: request.markers ? markers : false });
  const stops = new StopStrings(request.stop ?? []);
  const tokens = [...request.prompt];
  /** Characters decoded so far. */
  let offset = 0;
  for await (const event of engine.submit(withEnds(request, tokenizer), either)) {
    switch (event.kind) {
      case 'token': {
        // A step that was under way when the stop string came: nobody asked for its token.
        if (stops.stopped) break;
        tokens.push(event.token);
        const decoded = stream.push(event.token);
        const text = stops.push(decoded);
        yield { kind: 'text', text, logprobs: logprobsOf(tokenizer, event, offset) };
        if (event.logprob) offset += characters(decoded);
        if (stops.stopped) stop.abort();
        break;
      }
      case 'end': {
        const text = stops.stopped ? '' : stops.push(stream.end()) + stops.end();
        if (text !== '') yield { kind: 'text', text, logprobs: [] };
        const end = stops.stopped ? stoppedAt(event, tokens.length - request.prompt.length) : event;
        yield { ...end, tokens, stopString: stops.found };
        return;
      }
      case 'error':
        throw errorOf(event);
      default:
        event satisfies never;
    }
  }
}

/** The end of a text that a stop string ended after so many tokens. */
function stoppedAt(event: EngineEvent & { kind: 'end' }, completionTokens: number): EngineEvent & { kind: 'end' } {
  return { ...event, reason: 'stop', usage: { ...event.usage, completionTokens } };
}

/** The tokens that end every text end this one too, unless they are to be ignored. */
function withEnds(request: GenerateRequest, { endOfGeneration }: Tokenizer): GenerateRequest {
  if (request.ignoreEnds) return request;
  return { ...request, stopTokens: [...endOfGeneration, ...(request.stopTokens ?? [])] };
}

function logprobsOf(tokenizer: Tokenizer, { logprob }: EngineEvent & { kind: 'token' }, offset: number): TextLogprob[] {
  if (!logprob) return [];
  const one = ({ token, logprob: value }: { token: Token; logprob: number }) => {
    const bytes = tokenizer.bytes(token, { special: true });
    return { token: decoder.decode(bytes), bytes: [...bytes], logprob: value };
  };
  return [{ ...one(logprob), offset, top: logprob.top.map(one) }];
}

/** Code points, as OpenAI's clients count: a character outside the first plane is one. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
