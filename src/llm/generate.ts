import { errorOf } from '../engine/failure.ts';
import type { GenerateRequest, Sampling } from '../engine/request.ts';
import type { Engine } from '../engine/types.ts';
import type { Token, Tokenizer } from '../tokenizer/types.ts';
import { AnswerText } from './answer-text.ts';
import type { ModelText } from './model-text.ts';
import { markersOf } from './output-format.ts';
import type { GenerateText, TextEvent } from './types.ts';

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
  // Joining signals takes as long as all else here: only where a stop string may come.
  const stop = request.stop?.length ? new AbortController() : undefined;
  const either = stop && signal ? AbortSignal.any([signal, stop.signal]) : (stop?.signal ?? signal);
  const text = new AnswerText(tokenizer, request, request.markers ? markers : false);
  if (request.promptLogprobs !== undefined) yield text.first();
  for await (const event of engine.submit(withEnds(request, tokenizer), either)) {
    switch (event.kind) {
      case 'prompt':
        yield text.prompt(event);
        break;
      case 'token':
        // A step that was under way when the stop string came: nobody asked for its token.
        if (text.stopped) break;
        yield text.token(event);
        if (text.stopped) stop?.abort();
        break;
      case 'end':
        yield* text.end(event);
        return;
      case 'error':
        throw errorOf(event);
      default:
        event satisfies never;
    }
  }
}

/** The tokens that end every text end this one too, unless they are to be ignored. */
function withEnds(request: GenerateRequest, { endOfGeneration }: Tokenizer): GenerateRequest {
  if (request.ignoreEnds) return request;
  return { ...request, stopTokens: [...endOfGeneration, ...(request.stopTokens ?? [])] };
}
