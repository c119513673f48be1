import { hubUrl } from '../../catalog/hub/hub.ts';
import { RealmError } from '../../errors.ts';
import { localFiles, sendFile } from '../page-files.ts';
import type { AppContext, Route } from '../route.ts';

/** A chat with a model that runs in the browser: the server gives the page, and hears nothing of what is said. */
export const localRoute: Route = {
  method: 'GET',
  path: '/local',
  open: true,
  summary: 'The page that runs a model in the browser',
  handle(context) {
    const { pathname, search } = new URL(context.req.url);
    // Its files are named beside it.
    return pathname.endsWith('/') ? answer(context, 'chat.html') : context.redirect(`/local/${search}`, 308);
  },
};

export const localFileRoute: Route = {
  method: 'GET',
  path: '/local/:file',
  open: true,
  summary: 'A file of that page',
  handle: context => answer(context, context.req.param('file') ?? ''),
};

function answer(context: AppContext, name: string): Response {
  const file = localFiles().get(name);
  if (file === undefined)
    throw new RealmError(
      'route_not_found',
      `There is no such file; \`npm start\` and \`npm run build\` build this page`,
    );
  const { etag } = file;
  const headers = { ...localHeaders(process.env), etag, 'cache-control': 'no-cache' };
  if (context.req.header('if-none-match')?.includes(etag)) return context.body(null, 304, headers);
  return sendFile(context, file, headers);
}

/**
 * The page is cross-origin isolated, so that threads share memory, and so are its workers. Models come from anywhere: by HTTPS, from this
 * server, or from the hub that it uses itself.
 */
function localHeaders(env: NodeJS.ProcessEnv): Record<string, string> {
  const hub = URL.parse(hubUrl(env));
  return {
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self' 'wasm-unsafe-eval'",
      "worker-src 'self'",
      "style-src 'self'",
      "img-src 'self'",
      `connect-src 'self' https:${hub?.protocol === 'http:' ? ` ${hub.origin}` : ''}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-resource-policy': 'same-origin',
  };
}
