import { RealmError } from '../errors.ts';

/** Whether a host name or address always means this machine. */
export function isLocalName(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

/** Whether a connection comes from this machine. */
function isLocalAddress(address: string | undefined): boolean {
  return isLocalName((address ?? '').replace(/^::ffff:/, ''));
}

/** What proxies say of whom they ask for. */
const forwarding = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
];

/**
 * Whether a program on this machine asks for itself. A proxy on this machine asks for others, and a browser on it for
 * pages from elsewhere.
 */
export function isLocalRequest(address: string | undefined, { url, headers }: Request): boolean {
  if (!isLocalAddress(address) || forwarding.some(name => headers.has(name))) return false;
  return isLocallyNamed(url) && isLocalOrigin(headers.get('origin') ?? undefined);
}

/**
 * For a server without keys: a web page that its user happens to visit must not use the models. Such a request names
 * its page's origin, or calls this machine by a name of the page's (DNS rebinding). Throws `host_not_allowed`.
 */
export function refuseWebPages(
  url: string,
  origin: string | undefined,
  allowed: (origin: string) => boolean = () => false,
): void {
  if (isLocallyNamed(url) && (isLocalOrigin(origin) || (origin !== undefined && allowed(origin)))) return;
  throw new RealmError(
    'host_not_allowed',
    'Without keys only programs on this machine are answered; ask localhost, name tenants with keys, or the page in server.origins',
  );
}

function isLocallyNamed(url: string): boolean {
  return isLocalName(URL.parse(url)?.hostname ?? '');
}

/** A request without an origin comes from no page. */
function isLocalOrigin(origin: string | undefined): boolean {
  return origin === undefined || isLocalName(URL.parse(origin)?.hostname ?? '');
}
