import { type ErrorCode, errorCodes, RealmError } from '../errors.ts';

/** Asks a server that runs, as a client of its API does. */
export class ApiClient {
  readonly #base: string;
  readonly #key: string | undefined;

  constructor(url: string, key: string | undefined) {
    const base = URL.parse(url);
    if (base === null) throw new RealmError('usage', `--url: ${url} is no URL.`, { param: 'url' });
    this.#base = base.href.replace(/\/$/, '');
    this.#key = key;
  }

  /** Throws what the server refused it with, and `usage` where none answers. */
  async ask(method: 'GET' | 'POST', path: string, body?: object): Promise<Response> {
    const headers = {
      ...(body && { 'content-type': 'application/json' }),
      ...(this.#key !== undefined && { authorization: `Bearer ${this.#key}` }),
    };
    const request = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    const answer = await fetch(this.#base + path, request).catch(cause => {
      const reason = cause.cause?.code ?? cause.message;
      throw new RealmError('usage', `${this.#base} cannot be reached: ${reason}.`, { cause });
    });
    if (answer.ok) return answer;
    const { error } = await answer.json().catch(() => ({}));
    throw refusal(error ?? { message: `the server answered ${answer.status}` });
  }
}

/** An error as the API tells it. */
export function refusal({ code = '', message = '' }: { code?: string; message?: string }): RealmError {
  return new RealmError(code in errorCodes ? (code as ErrorCode) : 'internal_error', message);
}
