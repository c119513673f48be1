import { Hono, type MiddlewareHandler } from 'hono';
import { asRealmError, RealmError } from '../errors.ts';
import type { Tenant } from '../tenancy/tenants.ts';
import { limitBody } from './body.ts';
import { decodeBody } from './content-encoding.ts';
import { credentials } from './credentials.ts';
import { errorInShape } from './error-shape.ts';
import { reportError } from './errors.ts';
import { Exchange } from './exchange.ts';
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
import { countTokensRoute, messagesRoute } from './routes/messages.ts';
import { metricsRoute } from './routes/metrics.ts';
import { modelRoute, modelsRoute } from './routes/models.ts';
import { ollamaRoutes } from './routes/ollama.ts';
import { openApiRoute } from './routes/openapi.ts';
import { cancelRequestRoute, requestsRoute } from './routes/requests.ts';
import { rerankRoute } from './routes/rerank.ts';
import { compactRoute, responsesRoute, responsesSocketRoute } from './routes/responses.ts';
import { pageFileRoute, rootRoute } from './routes/root.ts';
import { deleteSessionRoute, sessionsRoute } from './routes/sessions.ts';
import { cancelResponseRoute, deleteResponseRoute, inputItemsRoute, responseRoute } from './routes/stored-responses.ts';
import { tokenizeRoute } from './routes/tokenize.ts';
import { tokenizerInfoRoute } from './routes/tokenizer-info.ts';
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
  messagesRoute,
  countTokensRoute,
  embeddingsRoute,
  rerankRoute,
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
  ...adminRoutes,
  healthRoute,
  readyRoute,
  metricsRoute,
  openApiRoute(() => routes),
  rootRoute,
  pageFileRoute,
];

/** The server as a function from Request to Response. */
export function createApp(services: Services): Hono<AppEnv> {
  const app = new Hono<AppEnv>({ getPath: tidyPath });
  const { origins } = services.http;
  app.use(track(services));
  if (origins.length > 0) app.use(allowOrigins(origins));
  for (const route of routes) {
    const { bodyBytes } = services.limits;
    const guards = route.open ? [] : [protect(services, route), limitBody(bodyBytes), decodeBody(bodyBytes)];
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
    context.res.headers.set('x-request-id', exchange.id);
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
function protect(services: Services, { admin }: Route): MiddlewareHandler<AppEnv> {
  return (context, next) => {
    if (services.localOnly) {
      const allowed = (origin: string) => isAllowedOrigin(services.http.origins, origin);
      refuseWebPages(context.req.url, context.req.header('origin'), allowed);
    }
    const authorization = credentials(context.req.raw.headers);
    if (admin) services.authorizeAdmin(authorization);
    else enter(context, services.authenticate(authorization));
    const { phase } = services.state;
    if (phase === 'loading')
      throw new RealmError('not_ready', 'The model is still being loaded; try again in a moment');
    if (phase === 'draining')
      throw new RealmError('shutting_down', 'The server is stopping; send the request to another one');
    return next();
  };
}

function enter(context: AppContext, tenant: Tenant): void {
  context.set('tenant', tenant);
  context.get('exchange').tenant = tenant.id;
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
  if (error.status === 401) response.headers.set('www-authenticate', 'Bearer');
  return response;
}
