import { readBody } from '../body.ts';
import { embedTexts } from '../embed-texts.ts';
import { chatShape, generateShape } from '../ollama/answer.ts';
import { findLocal, localName, running, show, tags } from '../ollama/models.ts';
import { respondAsOllama } from '../ollama/respond.ts';
import type { AppContext, Route } from '../route.ts';
import type { HeldModel } from '../services.ts';
import { checkDimensions } from './embeddings.ts';

/** Ollama's routes: many programs on desktops speak nothing else. */

const ollamaChat: Route = {
  method: 'POST',
  path: '/api/chat',
  summary: "An answer in a chat, in Ollama's shape",
  body: 'ollamaChat',
  inference: true,
  handle: async context => respondAsOllama(context, chatShape, await readBody(context, 'ollamaChat')),
};

const ollamaGenerate: Route = {
  method: 'POST',
  path: '/api/generate',
  summary: "An answer to a prompt, in Ollama's shape",
  body: 'ollamaGenerate',
  inference: true,
  handle: async context => respondAsOllama(context, generateShape, await readBody(context, 'ollamaGenerate')),
};

const ollamaEmbed: Route = {
  method: 'POST',
  path: '/api/embed',
  summary: "Embeddings of texts, in Ollama's shape",
  body: 'ollamaEmbed',
  inference: true,
  async handle(context) {
    const started = performance.now();
    const { model, inputs, ...options } = await readBody(context, 'ollamaEmbed');
    const { name, values } = await embed(context, model, inputs, options);
    return context.json({
      model: name,
      embeddings: values,
      total_duration: Math.round((performance.now() - started) * 1e6),
      load_duration: 0,
      prompt_eval_count: context.var.exchange.usage().promptTokens,
    });
  },
};

const ollamaEmbeddings: Route = {
  method: 'POST',
  path: '/api/embeddings',
  summary: 'The embedding of one text, as Ollama gave it before /api/embed',
  body: 'ollamaEmbeddings',
  inference: true,
  async handle(context) {
    const { model, inputs } = await readBody(context, 'ollamaEmbeddings');
    const { values } = await embed(context, model, inputs);
    return context.json({ embedding: values[0] });
  },
};

async function embed(
  context: AppContext,
  wanted: string | undefined,
  inputs: string[],
  { dimensions, truncate }: { dimensions?: number | undefined; truncate?: boolean | undefined } = {},
) {
  const { services, tenant } = context.var;
  const model = localName(services, tenant, wanted);
  if (inputs.length === 0) return { name: findLocal(services, tenant, wanted).name, values: [] };
  const check = (named: HeldModel) => checkDimensions(dimensions, named.model.engine.info.width);
  const { name, embeddings } = await embedTexts(context, model, inputs, { check, truncate });
  return { name, values: embeddings.map(({ values }) => [...values]) };
}

const ollamaTags: Route = {
  method: 'GET',
  path: '/api/tags',
  summary: "Models, in Ollama's shape",
  handle: context => context.json({ models: tags(context.var.services, context.var.tenant) }),
};

const ollamaPs: Route = {
  method: 'GET',
  path: '/api/ps',
  summary: "Models that are loaded, in Ollama's shape",
  handle: context => context.json({ models: running(context.var.services, context.var.tenant) }),
};

const ollamaShow: Route = {
  method: 'POST',
  path: '/api/show',
  summary: "What a model is, in Ollama's shape",
  body: 'ollamaShow',
  async handle(context) {
    const { services, tenant } = context.var;
    const { model } = await readBody(context, 'ollamaShow');
    return context.json(show(findLocal(services, tenant, model)));
  },
};

/** Of Ollama's, whose API of that version these routes are: clients refuse older ones. */
const version = '0.12.6';

const ollamaVersion: Route = {
  method: 'GET',
  path: '/api/version',
  open: true,
  summary: "The version of Ollama's API that these routes follow",
  handle: context => context.json({ version }),
};

export const ollamaRoutes: readonly Route[] = [
  ollamaChat,
  ollamaGenerate,
  ollamaEmbed,
  ollamaEmbeddings,
  ollamaTags,
  ollamaPs,
  ollamaShow,
  ollamaVersion,
];
