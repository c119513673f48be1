import packageFile from '../../package.json' with { type: 'json' };
import { errorCodes } from '../errors.ts';
import type { Limits } from '../tenancy/config.ts';
import { isAnsweredOnce, keyPattern } from './idempotency.ts';
import { plainPath } from './not-found.ts';
import { answers, messagesErrorSchema, ollamaErrorSchema } from './openapi-answers.ts';
import type { Route } from './route.ts';
import { bodySchema } from './text/bodies.ts';

/** What the server answers, as OpenAPI 3.1 describes it: bodies are the schemas that validate them. */
export function openApiDocument(routes: readonly Route[], limits: Limits): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = plainPath(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, limits) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Realm', version: packageFile.version, license: { name: 'Apache 2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    security: [{}, { bearer: [] }, { apiKey: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      },
      schemas: { Error: errorSchema, MessagesError: messagesErrorSchema, OllamaError: ollamaErrorSchema },
      responses: {
        Error: refusal('Error'),
        MessagesError: refusal('MessagesError'),
        OllamaError: refusal('OllamaError'),
      },
    },
  };
}

const refusal = (name: string) => ({
  description: 'A refusal',
  content: { 'application/json': { schema: ref(`schemas/${name}`) } },
});

const ref = (name: string) => ({ $ref: `#/components/${name}` });

/** Sent again with the same one, a request gets the answer that it has got. */
const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  schema: { type: 'string', pattern: keyPattern.source },
};

function operation(route: Route, limits: Limits): object {
  const { method, path, summary, body, bytes, query = {}, open, admin } = route;
  const inPath = [...plainPath(path).matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } };
  });
  const inQuery = Object.entries(query).map(([name, description]) => {
    return { name, in: 'query', description, schema: { type: 'string' } };
  });
  const parameters = [...inPath, ...inQuery, ...(isAnsweredOnce(route) ? [idempotencyKey] : [])];
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\{[^}]*\}/g, '').replace(/\W+/g, '_')}`,
    summary: admin ? `${summary} (for the operator)` : summary,
    ...(open && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: bodySchema(body, limits) }, ...(bytes && { [bytes]: {} }) },
      },
    }),
    responses: { 200: answerOf(method, path), default: ref(`responses/${refusalOf(path)}`) },
  };
}

function answerOf(method: string, path: string): object {
  const content = Object.entries(answers[`${method} ${plainPath(path)}`] ?? {});
  if (content.length === 0) return { description: 'The answer' };
  return {
    description: 'The answer',
    content: Object.fromEntries(content.map(([type, schema]) => [type, { schema }])),
  };
}

function refusalOf(path: string): string {
  if (path.startsWith('/v1/messages')) return 'MessagesError';
  return path.startsWith('/api/') ? 'OllamaError' : 'Error';
}

/** As OpenAI writes it; the Messages API and Ollama's routes have the shapes of theirs. */
const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'] },
        code: { enum: Object.keys(errorCodes) },
      },
    },
  },
};
