import { readEvents } from './events.ts';

/** A refusal of the server, with its code; `offline` where nobody answered. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
  }

  /** The whole route is missing, not just what it was asked for. */
  get routeMissing(): boolean {
    return this.status === 404 && this.code === 'route_not_found';
  }

  get needsKey(): boolean {
    return this.status === 401 || this.code === 'no_admin_keys' || this.code === 'permission_denied';
  }
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Client {
  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T>;
  getText(path: string, query?: Query): Promise<string>;
  send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<T>;
  /** The data of server-sent events. */
  events(path: string, body: object | undefined, signal: AbortSignal): AsyncGenerator<string>;
}

/** The only place that asks the server; the key stays in this closure. */
export function createClient(key: string): Client {
  const ask = async (path: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (key !== '') headers.set('authorization', `Bearer ${key}`);
    const response = await fetch(path, { ...init, headers, cache: 'no-store', credentials: 'omit' }).catch(error => {
      if (init.signal?.aborted) throw error;
      throw new ApiError(0, 'offline', 'The server does not answer. Is it running?');
    });
    if (!response.ok) throw await refusal(response);
    return response;
  };
  return {
    async get(path, query, signal) {
      const response = await ask(path + search(query), { ...(signal && { signal }) });
      return response.json();
    },
    async getText(path, query) {
      const response = await ask(path + search(query), {});
      return response.text();
    },
    async send(method, path, body) {
      const response = await ask(path, { method, ...json(body) });
      const text = await response.text();
      return text === '' ? undefined : JSON.parse(text);
    },
    async *events(path, body, signal) {
      const response = await ask(path, { method: body ? 'POST' : 'GET', ...json(body), signal });
      if (response.body) yield* readEvents(response.body);
    },
  };
}

const json = (body: object | undefined): RequestInit =>
  body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };

function search(query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? '' : `?${text}`;
}

async function refusal(response: Response): Promise<ApiError> {
  const text = await response.text();
  const { code, message } = parseError(text) ?? {};
  return new ApiError(response.status, code ?? 'unknown', message ?? `The server answered ${response.status}.`);
}

/** The refusal in a body; undefined if it is something else. */
export function parseError(text: string): { code?: string; message?: string } | undefined {
  try {
    return JSON.parse(text)?.error ?? undefined;
  } catch {
    return undefined;
  }
}
