import type { EmbedRequest, EngineUsage, GenerateRequest } from '../engine/request.ts';
import type { Engine } from '../engine/types.ts';
import { type Embedding, embed } from '../llm/embed.ts';
import type { LoadedModel } from '../llm/load.ts';
import type { Charge } from '../llm/program/charged-tokens.ts';
import type { TextEvent } from '../llm/types.ts';
import type { CallOwner, CallStatus, EngineCall, Meter, Reservation } from '../metering/meter.ts';
import type { Recordings } from './program-host/recordings.ts';

/**
 * A model as the server has it. Its engine is reached through `generate` and `embed` alone, and both reserve what the call may cost before it
 * is made and settle it however it ends: programs, several answers and embeddings have no other way.
 */
export interface MeteredModel extends Omit<LoadedModel, 'generate' | 'engine'> {
  readonly engine: Omit<Engine, 'submit'>;
  /** The end comes once the call is on record, or `recordings` wait for it. Throws what the meter and the engine report. */
  generate(
    owner: CallOwner,
    request: GenerateRequest,
    signal?: AbortSignal,
    how?: { readonly charge?: Charge; readonly recordings?: Pick<Recordings, 'add' | 'wanted'> },
  ): AsyncIterable<TextEvent>;
  embed(owner: CallOwner, request: EmbedRequest, signal?: AbortSignal): Promise<Embedding>;
}

/** Nobody has. */
const wholeCharge = (promptTokens: number): Charge => ({
  promptTokens,
  granted: () => {},
  of: usage => usage,
  end: () => undefined,
});

export function metered(model: LoadedModel, meter: Meter): MeteredModel {
  const reserve = (owner: CallOwner, adapter: string | undefined, wish: Wish) =>
    meter.reserve({ ...owner, model: model.id, adapter, ...wish });
  const ways: Pick<MeteredModel, 'generate' | 'embed'> = {
    async *generate(owner, request, signal, { charge = wholeCharge(request.prompt.length), recordings } = {}) {
      const room = model.engine.info.context - request.prompt.length;
      // What the engine refuses costs nothing; it says so itself.
      const wanted = Math.max(0, Math.min(request.maxTokens ?? room, room));
      const { promptTokens } = charge;
      const openEnded = request.maxTokens === undefined;
      const reservation = await reserve(owner, request.adapter, { promptTokens, maxTokens: wanted, openEnded });
      charge.granted();
      const maxTokens = reservation.maxTokens < wanted ? reservation.maxTokens : request.maxTokens;
      const events = model.generate({ ...request, maxTokens }, signal);
      // Only the first says how it ended.
      let ended = false;
      const settle = async (status: CallStatus) => {
        const recording = reservation.settle(status, recordings?.wanted);
        if (!recordings) await recording;
        else if (!ended) recordings.add(recording);
        ended = true;
      };
      const count = (usage: EngineUsage) => reservation.count(usage);
      yield* settled({ count, settle }, events, request.prompt.length, charge);
    },
    async embed(owner, request, signal) {
      const { prompt, adapter } = request;
      const reservation = await reserve(owner, adapter, { promptTokens: prompt.length, maxTokens: 0 });
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

type Wish = Pick<EngineCall, 'promptTokens' | 'maxTokens' | 'openEnded'>;

async function* settled(
  reservation: Pick<Reservation, 'count' | 'settle'>,
  events: AsyncIterable<TextEvent>,
  promptTokens: number,
  charge: Charge,
): AsyncGenerator<TextEvent> {
  let completionTokens = 0;
  let left = true;
  try {
    for await (const event of events) {
      if (event.kind === 'end') {
        reservation.count(charge.of(event.usage));
        await reservation.settle(event.reason === 'cancelled' ? 'cancelled' : 'complete');
      } else if (!event.ofPrompt)
        reservation.count(charge.of({ promptTokens, cachedTokens: 0, completionTokens: ++completionTokens }));
      yield event;
    }
  } catch (error) {
    left = false;
    throw error;
  } finally {
    const owed = charge.end();
    if (owed) reservation.count(owed);
    await reservation.settle(left ? 'cancelled' : 'failed');
  }
}
