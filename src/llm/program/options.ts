import type { GenerateRequest } from '../../engine/request.ts';
import { RealmError } from '../../errors.ts';
import { ranges } from '../../ranges.ts';
import type { GenOptions } from '../../sandbox/types.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { LoadedModel } from '../load.ts';

/** What a program sees of a request, and what becomes of what it changes. */

type AnyRequest = GenerateRequest<string>;

/** What a program sees of a model. */
type SeenModel = Pick<LoadedModel, 'id' | 'defaults' | 'tokenizer'> & {
  readonly engine: Pick<LoadedModel['engine'], 'info'>;
};

/** The request's settings as the program's ABI has them. */
export function guestOptions(
  model: Pick<SeenModel, 'defaults' | 'engine'>,
  { maxTokens, sampling: asked }: AnyRequest,
): GenOptions {
  const sampling = { ...model.defaults.sampling, ...asked };
  return {
    maxTokens: Math.min(maxTokens ?? Number.POSITIVE_INFINITY, model.engine.info.context),
    temperature: sampling.temperature ?? 1,
    topP: sampling.topP ?? 1,
    topK: Math.max(0, sampling.topK ?? 0),
    repetitionPenalty: sampling.repetitionPenalty ?? 1,
    seed: BigInt.asUintN(64, BigInt(sampling.seed ?? 0)),
    stopTokens: [],
  };
}

/** The request with what the program changed in the place of what the client said. */
export function changedRequest(request: AnyRequest, changed: Partial<GenOptions>): AnyRequest {
  const { maxTokens = request.maxTokens, stopTokens = request.stopTokens, seed: guestSeed, ...numbers } = changed;
  // 0 is the program's word for a random seed.
  const seed = guestSeed === undefined ? request.sampling.seed : guestSeed || undefined;
  const sampling = { ...request.sampling, ...numbers, seed };
  const stop = stopTokens as readonly Token[] | undefined;
  return { ...request, ...leastOf(request, changed), maxTokens, stopTokens: stop, sampling };
}

/** A program that wants fewer tokens than the client's least gets its way. */
function leastOf({ minTokens }: AnyRequest, { maxTokens }: Partial<GenOptions>): Pick<AnyRequest, 'minTokens'> {
  return minTokens !== undefined && maxTokens !== undefined ? { minTokens: Math.min(minTokens, maxTokens) } : {};
}

/** A refusal of what a program changed says that it was the program: its client asked for nothing of the kind. */
export function refusedToProgram(error: unknown, changed: Partial<GenOptions>): unknown {
  if (!(error instanceof RealmError) || error.code !== 'invalid_request') return error;
  const { stopTokens: _, ...numbers } = changed;
  const own = (Object.keys(numbers) as (keyof typeof numbers)[]).some(key => ranges[key].field === error.param);
  return own ? new RealmError(error.code, `The program asked for what cannot be: ${error.message}`) : error;
}

/** JSON for `realm_get_model_metadata`. */
export function metadata({ id, engine, tokenizer }: Omit<SeenModel, 'defaults'>): string {
  const { architecture, context, trainedContext, vocabSize, width } = engine.info;
  return JSON.stringify({
    id,
    architecture,
    context,
    trained_context: trainedContext,
    vocab_size: vocabSize,
    width,
    bos_token: tokenizer.bos,
    eos_token: tokenizer.eos,
  });
}
