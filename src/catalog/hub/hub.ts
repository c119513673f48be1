import { RealmError } from '../../errors.ts';

/** A question must be answered within this; a download may take as long as it takes. */
const questionMs = 20_000;
/** Entries that a hub is read for: a list without end ends here. */
export const mostEntries = 20_000;

/** Hugging Face's hub, or another one that speaks its API. */
export interface Hub {
  /** Without a slash at its end. */
  readonly url: string;
  /** For downloads: the access token, which `fetch` leaves out where another host is redirected to. */
  readonly headers: Record<string, string>;
  /** For questions. The token goes to this hub alone, whatever address the hub names for the next page. */
  readonly fetch: typeof fetch;
}

/** Without a slash at its end. */
export const hubUrl = (env: NodeJS.ProcessEnv): string =>
  (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');

/** `HF_ENDPOINT` names another hub, `HF_TOKEN` an access token, as for Hugging Face's own tools. */
export function hubOf(env: NodeJS.ProcessEnv, signal?: AbortSignal): Hub {
  const url = hubUrl(env);
  const headers = headersOf(env.HF_TOKEN?.trim());
  const { origin } = addressOf(url);
  return {
    url,
    headers,
    async fetch(input, init) {
      const limits = [AbortSignal.timeout(questionMs), ...(signal ? [signal] : [])];
      const own = new URL(input instanceof Request ? input.url : input).origin === origin;
      const all = { ...(init?.headers as Record<string, string>), ...(own && headers) };
      return fetch(input, { ...init, headers: all, signal: AbortSignal.any(limits) });
    },
  };
}

/** What cannot be in a header is refused here: the message of the one that refuses it later would repeat it. */
function headersOf(token: string | undefined): Record<string, string> {
  if (!token) return {};
  if (/^[\x21-\x7e]+$/.test(token)) return { Authorization: `Bearer ${token}` };
  throw new RealmError('download_failed', 'HF_TOKEN has characters that no access token has; copy it again.');
}

function addressOf(url: string): URL {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return new URL(url);
  throw new RealmError('download_failed', `HF_ENDPOINT must be the http(s) address of a hub, not ${url}.`);
}

/** Where a file of a repository is. */
export function fileUrl({ url }: Pick<Hub, 'url'>, repo: string, revision: string, path: string): string {
  return `${url}/${repo}/resolve/${encodeURIComponent(revision)}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** What a status of the hub means where a repository was asked for; undefined: nothing that is the repository's. */
export function refusalOf(status: number, repo: string, { url, headers }: Hub): RealmError | undefined {
  const has = headers.Authorization !== undefined;
  const ask = `accept its terms at ${url}/${repo}`;
  switch (status) {
    case 401:
      // The hub does not tell apart what is not there and what may not be seen.
      return new RealmError(
        'model_gated',
        has
          ? `${url} does not know the token in HF_TOKEN, or it may not see ${repo}; make another one.`
          : `${repo} is not there, or is private or gated: if it is, ${ask} and set HF_TOKEN to an access token.`,
      );
    case 403:
      return new RealmError(
        'model_gated',
        `${repo} is gated: ${ask}, ${has ? 'with the account of HF_TOKEN' : 'and set HF_TOKEN to an access token'}.`,
      );
    case 404:
      return new RealmError('model_not_found', `${url} has no repository ${repo}; check its name.`);
    default:
      return undefined;
  }
}
