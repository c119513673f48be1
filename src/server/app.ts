import { Hono, type MiddlewareHandler } from 'hono';
import { asRealmError, RealmError } from '../errors.ts';
import type { Principal } from '../tenancy/tenants.ts';
import { limitBody } from './body.ts';
import { decodeBody } from './content-encoding.ts';
import { credentials } from './credentials.ts';
import { errorInShape } from './error-shape.ts';
import { reportError } from './errors.ts';
import { Exchange } from './exchange.ts';
import { answerOnce } from './idempotency.ts';
import { refuseWebPages } from './local.ts';
import { nothingThere } from './not-found.ts';
import { allowOrigins, isAllowedOrigin } from './origins.ts';
import { tidyPath, withoutVersion } from './paths.ts';
import type { AppContext, AppEnv, Route } from './route.ts';
import { loadAdapterRoute, unloadAdapterRoute } from './routes/adapters.ts';
import { adminRoutes } from './routes/admin/index.ts';
import { applyTemplateRoute } from './routes/apply-template.ts';
import { chatRoute } from './routes/chat.ts';
import { completionsRoute } from './routes/completions.ts';
import { detokenizeRoute } from './routes/detokenize.ts';
import { embeddingsRoute } from './routes/embeddings.ts';
import { healthRoute, readyRoute } from './routes/health.ts';
import { localFileRoute, localRoute } from './routes/local.ts';
import { countTokensRoute, messagesRoute } from './routes/messages.ts';
import { metricsRoute } from './routes/metrics.ts';
import { modelRoute, modelsRoute } from './routes/models.ts';
import { ollamaRoutes } from './routes/ollama.ts';
import { openApiRoute } from './routes/openapi.ts';
import { pipelineRoutes } from './routes/pipelines.ts';
import { cancelRequestRoute, requestsRoute } from './routes/requests.ts';
import { rerankRoute } from './routes/rerank.ts';
import { compactRoute, responsesRoute, responsesSocketRoute } from './routes/responses.ts';
import { pageFileRoute, rootRoute } from './routes/root.ts';
import { deleteSessionRoute, sessionsRoute } from './routes/sessions.ts';
import { cancelResponseRoute, deleteResponseRoute, inputItemsRoute, responseRoute } from './routes/stored-responses.ts';
import { tokenizeRoute } from './routes/tokenize.ts';
import { tokenizerInfoRoute } from './routes/tokenizer-info.ts';
import { usageRoute } from './routes/usage.ts';
import { callsRoute } from './routes/ws.ts';
import type { Services } from './services.ts';

export const routes: readonly Route[] = [
  chatRoute,
  completionsRoute,
  responsesRoute,
  responsesSocketRoute,
  compactRoute,
  responseRoute,
  deleteResponseRoute,
  cancelResponseRoute,
  inputItemsRoute,
  callsRoute,
  messagesRoute,
  countTokensRoute,
  embeddingsRoute,
  rerankRoute,
  ...pipelineRoutes,
  ...ollamaRoutes,
  modelsRoute,
  modelRoute,
  loadAdapterRoute,
  unloadAdapterRoute,
  requestsRoute,
  cancelRequestRoute,
  sessionsRoute,
  deleteSessionRoute,
  tokenizeRoute,
  tokenizerInfoRoute,
  detokenizeRoute,
  applyTemplateRoute,
  usageRoute,
  ...adminRoutes,
  healthRoute,
  readyRoute,
  metricsRoute,
  openApiRoute(() => routes),
  rootRoute,
  pageFileRoute,
  localRoute,
  localFileRoute,
];

/** The server as a function from Request to Response. */
export function createApp(services: Services): Hono<AppEnv> {
  const app = new Hono<AppEnv>({ getPath: tidyPath });
  app.use(track(services));
  app.use(allowOrigins(() => services.http.origins));
  for (const route of routes) {
    const bodyBytes = () => Math.max(services.limits.bodyBytes, route.bodyBytes ?? 0);
    const guards = route.open
      ? []
      : [protect(services, route), limitBody(bodyBytes), decodeBody(bodyBytes), answerOnce(route)];
    const paths = withoutVersion(route.path);
    app.on(route.method, paths, named(route.path), ...guards, context => route.handle(context));
  }
  for (const [path, methods] of methodsOf(routes)) {
    for (const each of withoutVersion(path)) app.all(each, named(path), context => notAllowed(context, methods));
  }
  app.notFound(context => fail(context, nothingThere(context.req.raw, routes)));
  app.onError((error, context) => fail(context, asRealmError(error)));
  return app;
}

/** What each path may be asked with. */
function methodsOf(all: readonly Route[]): Map<string, string> {
  const methods = new Map<string, string>();
  for (const { path, method } of all) methods.set(path, methods.has(path) ? `${methods.get(path)}, ${method}` : method);
  return methods;
}

/** Gives every request its exchange, and every answer its id. */
function track(services: Services): MiddlewareHandler<AppEnv> {
  return async (context, next) => {
    const exchange = new Exchange(services, context.req.raw);
    context.set('services', services);
    context.set('exchange', exchange);
    await next();
    const { headers } = context.res;
    headers.set('x-request-id', exchange.id);
    for (const [name, value] of Object.entries(exchange.admission?.headers() ?? {}))
      if (!headers.has(name)) headers.set(name, value);
    if (exchange.span) headers.set('traceresponse', exchange.span.headers.traceparent);
    if (!exchange.streaming) exchange.finish(context.res.status);
  };
}

/** Notes the route's own path: metrics must not have a label for every path that somebody tries. */
function named(path: string): MiddlewareHandler<AppEnv> {
  return (context, next) => {
    context.get('exchange').route = path;
    return next();
  };
}

/** First the key, before anything else is revealed or read; then whether the server can answer at all. */
function protect(services: Services, { admin, inference, quiet = false }: Route): MiddlewareHandler<AppEnv> {
  return async (context, next) => {
    const { exchange } = context.var;
    exchange.quiet = quiet;
    if (!quiet) exchange.trace(context.req.raw.headers);
    if (services.localOnly) {
      const allowed = (origin: string) => isAllowedOrigin(services.http.origins, origin);
      refuseWebPages(context.req.url, context.req.header('origin'), allowed);
    }
    const authorization = credentials(context.req.raw.headers);
    const remoteAddress = context.env?.remoteAddress;
    const { method } = context.req;
    if (admin) context.get('exchange').keyId = services.authorizeAdmin(authorization, { method, remoteAddress });
    else enter(context, services.authenticate(authorization, remoteAddress));
    const { phase } = services.state;
    if (phase === 'loading')
      throw new RealmError('not_ready', 'The model is still being loaded; try again in a moment');
    if (phase === 'draining')
      throw new RealmError('shutting_down', 'The server is stopping; send the request to another one');
    if (inference) await letIn(services, context.get('exchange'));
    return next();
  };
}

function enter(context: AppContext, principal: Principal): void {
  const { tenant, keyId, scopes } = principal;
  const exchange = context.get('exchange');
  exchange.tenant = tenant.id;
  exchange.keyId = keyId;
  context.set('tenant', tenant);
  context.set('principal', principal);
  // What changes nothing is for every key.
  if (scopes.includes('inference') || context.req.method === 'GET') return;
  throw new RealmError('permission_denied', `The key ${keyId} may not ask models: it lacks the scope inference`);
}

/** As fast as its tenant may ask; before the body is read. */
async function letIn({ rates }: Services, exchange: Exchange): Promise<void> {
  const { id, tenant = '', keyId } = exchange;
  exchange.admission = await rates.admit({ tenant, keyId }, id);
}

function notAllowed(context: AppContext, method: string): Response {
  const response = fail(
    context,
    new RealmError('method_not_allowed', `${context.req.method} is not allowed here; use ${method}`),
  );
  response.headers.set('allow', method);
  return response;
}

function fail(context: AppContext, error: RealmError): Response {
  const { exchange, services } = context.var;
  exchange.code = error.code;
  reportError(services, exchange, error);
  const response = context.json(errorInShape(context.req.raw, error, exchange.id), error.status as 400);
  if (error.retryAfter !== undefined) response.headers.set('retry-after', String(error.retryAfter));
  for (const [name, value] of Object.entries(error.headers ?? {})) response.headers.set(name, value);
  // Clients that try again by themselves would do so in vain.
  if (error.code === 'insufficient_quota' && error.retryAfter === undefined)
    response.headers.set('x-should-retry', 'false');
  if (error.status === 401) response.headers.set('www-authenticate', 'Bearer');
  return response;
}
