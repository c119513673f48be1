import packageFile from '../../../package.json' with { type: 'json' };
import { RealmError } from '../../errors.ts';
import { pageFiles, sendFile } from '../page-files.ts';
import type { Route } from '../route.ts';

/** A page for browsers; for the others, mostly with HEAD, that something is there. */
export const rootRoute: Route = {
  method: 'GET',
  path: '/',
  open: true,
  summary: 'The page, for browsers; for others, that the server runs',
  handle(context) {
    const vary = 'accept, accept-encoding';
    const index = pageFiles().get('index.html');
    if (index === undefined || !context.req.header('accept')?.includes('text/html'))
      return context.json({ name: 'Realm', version: packageFile.version, openapi: '/openapi.json' }, 200, { vary });
    // Names of the other files change with what is in them, so only this one is asked for again.
    return sendFile(context, index, { ...pageHeaders, vary, 'cache-control': 'no-cache' });
  },
};

/** The page's scripts and styles. */
export const pageFileRoute: Route = {
  method: 'GET',
  path: '/page/:file',
  open: true,
  summary: 'A file of the page',
  handle(context) {
    const name = context.req.param('file') ?? '';
    const file = name === 'index.html' ? undefined : pageFiles().get(name);
    if (file === undefined)
      throw new RealmError('route_not_found', 'The page has no such file: it may be of another version; load it again');
    return sendFile(context, file, { 'cache-control': 'public, max-age=31536000, immutable' });
  },
};

/** Only files of this server run or are shown, nothing is sent elsewhere, and no other page may hold this one in a frame. */
const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // No text becomes elements or a script, whatever the page's code does with it.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
};
