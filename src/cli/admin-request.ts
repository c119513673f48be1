import { RealmError } from '../errors.ts';
import { refusal } from './refusal.ts';

/** Asks a route of `/admin/v1` of a server that runs, with the key in REALM_ADMIN_KEY. Throws what the server says. */
export async function askOperator<T>(url: string, method: string, path: string): Promise<T> {
  const base = URL.parse(url);
  if (base === null) throw new RealmError('usage', `--url: ${url} is no URL.`, { param: 'url' });
  const key = process.env.REALM_ADMIN_KEY;
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const answer = await fetch(`${base.href.replace(/\/$/, '')}/admin/v1${path}`, { method, headers }).catch(cause => {
    throw new RealmError('usage', `${url} cannot be reached: ${cause.cause?.code ?? cause.message}.`, { cause });
  });
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said as T;
  throw refusal(said, `${url} answered ${answer.status}.`);
}
