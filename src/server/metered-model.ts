import type { EmbedRequest, GenerateRequest } from '../engine/request.ts';
import type { Engine } from '../engine/types.ts';
import { type Embedding, embed } from '../llm/embed.ts';
import type { LoadedModel } from '../llm/load.ts';
import type { TextEvent } from '../llm/types.ts';
import type { CallOwner, Meter, Reservation } from '../metering/meter.ts';

/**
 * A model as the server has it. Its engine is reached through `generate` and `embed` alone, and both reserve what the call may cost before it
 * is made and settle it however it ends: programs, several answers and embeddings have no other way.
 */
export interface MeteredModel extends Omit<LoadedModel, 'generate' | 'engine'> {
  readonly engine: Omit<Engine, 'submit'>;
  /** The end comes once the call is on record. Throws what the meter and the engine report. */
  generate(owner: CallOwner, request: GenerateRequest, signal?: AbortSignal): AsyncIterable<TextEvent>;
  embed(owner: CallOwner, request: EmbedRequest, signal?: AbortSignal): Promise<Embedding>;
}

export function metered(model: LoadedModel, meter: Meter): MeteredModel {
  const reserve = (owner: CallOwner, { prompt, adapter }: EmbedRequest, maxTokens: number, openEnded = false) => {
    const promptTokens = prompt.length;
    return meter.reserve({ ...owner, model: model.id, adapter, promptTokens, maxTokens, openEnded });
  };
  const ways: Pick<MeteredModel, 'generate' | 'embed'> = {
    async *generate(owner, request, signal) {
      const room = model.engine.info.context - request.prompt.length;
      // What the engine refuses costs nothing; it says so itself.
      const wanted = Math.max(0, Math.min(request.maxTokens ?? room, room));
      const reservation = await reserve(owner, request, wanted, request.maxTokens === undefined);
      const maxTokens = reservation.maxTokens < wanted ? reservation.maxTokens : request.maxTokens;
      yield* settled(reservation, model.generate({ ...request, maxTokens }, signal), request.prompt.length);
    },
    async embed(owner, request, signal) {
      const reservation = await reserve(owner, request, 0);
      try {
        const embedding = await embed(model.engine, request, signal);
        reservation.count(embedding.usage);
        await reservation.settle('complete');
        return embedding;
      } finally {
        await reservation.settle(signal?.aborted ? 'cancelled' : 'failed');
      }
    },
  };
  // All else is the model's own, also what changes later.
  return Object.assign(Object.create(model) as Omit<LoadedModel, 'generate'>, ways);
}

async function* settled(
  reservation: Reservation,
  events: AsyncIterable<TextEvent>,
  promptTokens: number,
): AsyncGenerator<TextEvent> {
  let completionTokens = 0;
  let left = true;
  try {
    for await (const event of events) {
      if (event.kind === 'end') {
        reservation.count(event.usage);
        await reservation.settle(event.reason === 'cancelled' ? 'cancelled' : 'complete');
      } else if (!event.ofPrompt)
        reservation.count({ promptTokens, cachedTokens: 0, completionTokens: ++completionTokens });
      yield event;
    }
  } catch (error) {
    left = false;
    throw error;
  } finally {
    await reservation.settle(left ? 'cancelled' : 'failed');
  }
}
