import { RealmError } from '../errors.ts';

/** Whether a host name or address always means this machine. */
export function isLocalName(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

/** Whether a connection comes from this machine. */
export function isLocalAddress(address: string | undefined): boolean {
  return isLocalName((address ?? '').replace(/^::ffff:/, ''));
}

/**
 * For a server without keys: a web page that its user happens to visit must not use the models. Such a request names
 * its page's origin, or calls this machine by a name of the page's (DNS rebinding). Throws `host_not_allowed`.
 */
export function refuseWebPages(url: string, origin: string | undefined): void {
  const asked = URL.parse(url)?.hostname ?? '';
  const from = origin === undefined ? 'localhost' : (URL.parse(origin)?.hostname ?? '');
  if (isLocalName(asked) && isLocalName(from)) return;
  throw new RealmError(
    'host_not_allowed',
    'Without keys only programs on this machine are answered; ask localhost, or name tenants with keys',
  );
}
