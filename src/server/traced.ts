import type { EmbedRequest, GenerateRequest } from '../engine/request.ts';
import { asRealmError } from '../errors.ts';
import type { Embedding } from '../llm/embed.ts';
import type { TextEvent } from '../llm/types.ts';
import { genAi, type Operation, provider } from '../telemetry/gen-ai.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';

/** The parts of a request's trace. Where there is no span, nothing stands between and nothing is made. */

/** The same events; the span ends with them. */
export function spanned<T>(span: TraceSpan | undefined, events: AsyncGenerator<T>): AsyncGenerator<T> {
  return span ? ending(span, events) : events;
}

async function* ending<T>(span: TraceSpan, events: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    yield* events;
  } catch (error) {
    span.end(asRealmError(error).code);
    throw error;
  } finally {
    span.end();
  }
}

interface Call {
  readonly operation: Operation;
  readonly model: string;
}

/** A call to an engine, as `parent` makes it: what comes before the first token (its turn too), and what comes after. */
export function tracedCall(
  parent: TraceSpan | undefined,
  call: Call,
  { prompt, maxTokens }: Pick<GenerateRequest, 'prompt' | 'maxTokens'>,
  events: AsyncIterable<TextEvent>,
): AsyncIterable<TextEvent> {
  if (!parent) return events;
  const span = begin(parent, call, { [genAi.maxTokens]: maxTokens, [genAi.inputTokens]: prompt.length });
  return inPhases(span, events);
}

function begin(parent: TraceSpan, { operation, model }: Call, attributes: Parameters<TraceSpan['set']>[0]): TraceSpan {
  return parent.child(`${operation} ${model}`, {
    [genAi.operation]: operation,
    [genAi.provider]: provider,
    [genAi.requestModel]: model,
    ...attributes,
  });
}

async function* inPhases(span: TraceSpan, events: AsyncIterable<TextEvent>): AsyncGenerator<TextEvent> {
  let phase = span.child('prefill');
  let decoding = false;
  const end = (error?: string) => {
    phase.end(error);
    span.end(error);
  };
  try {
    for await (const event of events) {
      if (event.kind === 'end') {
        span.set({
          [genAi.cachedTokens]: event.usage.cachedTokens,
          [genAi.outputTokens]: event.usage.completionTokens,
          [genAi.finishReasons]: [event.reason],
        });
        end();
      } else if (!decoding && !event.ofPrompt) {
        decoding = true;
        phase.end();
        phase = span.child('decode');
      }
      yield event;
    }
  } catch (error) {
    end(asRealmError(error).code);
    throw error;
  } finally {
    end();
  }
}

/** The same for an embedding, which has no second phase. */
export async function tracedEmbedding(
  parent: TraceSpan | undefined,
  model: string,
  { prompt }: EmbedRequest,
  work: () => Promise<Embedding>,
): Promise<Embedding> {
  if (!parent) return work();
  const span = begin(parent, { operation: 'embeddings', model }, { [genAi.inputTokens]: prompt.length });
  try {
    const embedding = await work();
    span.set({ [genAi.cachedTokens]: embedding.usage.cachedTokens });
    return embedding;
  } catch (error) {
    span.end(asRealmError(error).code);
    throw error;
  } finally {
    span.end();
  }
}
