import { RealmError } from '../../errors.ts';
import type { Tenant } from '../../tenancy/tenants.ts';
import type { Token } from '../../tokenizer/types.ts';
import { readBody } from '../body.ts';
import { embedAll } from '../embed-all.ts';
import { type EmbeddingsRequest, embeddingsSchema } from '../embedding-request.ts';
import type { Route } from '../route.ts';
import { findModel, type LoadedModel } from '../services.ts';

/** Embeddings as OpenAI gives them; the tenant's program, which is for answers, has no part in them. */
export const embeddingsRoute: Route = {
  method: 'POST',
  path: '/v1/embeddings',
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const request = await readBody(context.req, embeddingsSchema);
    const named = findModel(services, tenant, request.model);
    exchange.model = named.model.id;
    const texts = encodeInputs(named.model, request, services.limits.inputs, tenant);
    const embeddings = await embedAll(exchange, tenant, named, texts);
    const { promptTokens } = exchange.usage();
    return context.json({
      object: 'list',
      data: embeddings.map(({ values }, index) => ({
        object: 'embedding',
        index,
        embedding: request.base64 ? base64(values) : [...values],
      })),
      model: named.name,
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    });
  },
};

/** Documents are values: what they say is no control token. */
function encodeInputs(
  model: LoadedModel,
  { inputs, dimensions }: EmbeddingsRequest,
  most: number,
  { parseSpecial = false }: Tenant,
): Token[][] {
  const { width, vocabSize, context } = model.engine.info;
  if (inputs.length > most) throw wrong('input', `has ${inputs.length} texts; one request may have ${most}`);
  if (dimensions !== undefined && dimensions !== width)
    throw wrong('dimensions', `must be ${width} or left out: the model was not made for shorter embeddings`);
  return inputs.map((input, i) => {
    const param = inputs.length === 1 ? 'input' : `input[${i}]`;
    const tokens = typeof input === 'string' ? model.tokenizer.encode(input, { parseSpecial }) : [...input];
    if (tokens.length === 0) throw wrong(param, 'is empty');
    const stray = tokens.find(token => token >= vocabSize);
    if (stray !== undefined) throw wrong(param, `has token ${stray}; the vocabulary has ${vocabSize}`);
    if (tokens.length <= context) return tokens;
    const message = `${param}: has ${tokens.length} tokens and the model's context is ${context}; shorten it`;
    throw new RealmError('context_length_exceeded', message, { param });
  });
}

function wrong(param: string, message: string): RealmError {
  return new RealmError('invalid_request', `${param}: ${message}`, { param });
}

/** The values as 32-bit floats, little-endian. */
function base64({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
