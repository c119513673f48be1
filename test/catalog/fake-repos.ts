import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Repositories of a hub on the loopback interface, whose files are on another host, as Hugging Face's are. */
export interface FakeRepos {
  readonly url: string;
  /** Where the files are. */
  readonly cdn: string;
  /** `METHOD PATH`, and whether it brought a token: at the hub and at the other host. */
  readonly asked: string[];
  readonly delivered: { path: string; authorization: string | undefined; range: string | undefined }[];
  close(): Promise<void>;
}

export interface Repo {
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Only with this token. */
  readonly token?: string;
  readonly licence?: string;
  /** What the hub says is the size of a file, in the place of its own. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** What is delivered in the place of a file. */
  readonly lies?: Readonly<Record<string, Uint8Array>>;
}

export async function startFakeRepos(repos: Readonly<Record<string, Repo>>, pageSize = 1000): Promise<FakeRepos> {
  const hub: FakeRepos = { url: '', cdn: '', asked: [], delivered: [], close: async () => {} };
  const content = (path: string): Uint8Array | undefined => {
    const [, repo = '', file = ''] = /^\/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.*)$/.exec(path) ?? [];
    return repos[repo]?.lies?.[file] ?? repos[repo]?.files[file];
  };
  const cdn = createServer((request, response) => deliver(hub, content, request, response));
  const cdnUrl = await listen(cdn);
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://hub');
    hub.asked.push(`${request.method} ${url.pathname}${request.headers.authorization ? ' with a token' : ''}`);
    answer(repos, pageSize, request, response, url, cdnUrl);
  });
  const url = await listen(server);
  return Object.assign(hub, { url, cdn: cdnUrl, close: async () => void (await Promise.all([server, cdn].map(stop))) });
}

function answer(
  repos: Readonly<Record<string, Repo>>,
  pageSize: number,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  cdnUrl: string,
): void {
  const path = decodeURIComponent(url.pathname);
  if (path === '/api/models') return json(response, search(repos, url.searchParams.get('search') ?? ''));
  const name = /^(?:\/api\/models)?\/([^/]+\/[^/]+)/.exec(path)?.[1] ?? '';
  const repo = repos[name];
  const token = request.headers.authorization;
  // The hub does not tell what is not there from what may not be seen.
  if (!repo) return refuse(response, token ? 404 : 401);
  if (repo.token && token !== `Bearer ${repo.token}`) return refuse(response, token ? 403 : 401);
  if (path.includes('/resolve/')) return void response.writeHead(302, { location: `${cdnUrl}${url.pathname}` }).end();
  if (path.includes('/tree/')) return tree(repo, pageSize, response, url);
  if (path.includes('/paths-info/')) return void pathsInfo(repo, request, response);
  json(response, { ...about(name, repo), cardData: { license: repo.licence } });
}

/** One page, and where the next one is. */
function tree({ files, sizes }: Repo, pageSize: number, response: ServerResponse, url: URL): void {
  const at = Number(url.searchParams.get('cursor') ?? 0);
  const all = Object.keys(files);
  const next = new URL(url);
  next.searchParams.set('cursor', String(at + pageSize));
  const address = `http://${response.req.headers.host}${next.pathname}${next.search}`;
  if (at + pageSize < all.length) response.setHeader('link', `<${address}>; rel="next"`);
  json(
    response,
    all.slice(at, at + pageSize).map(path => fileInfo(path, files[path]!, sizes?.[path])),
  );
}

async function pathsInfo({ files }: Repo, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = Buffer.concat(await Array.fromAsync(request));
  const { paths } = JSON.parse(body.toString()) as { paths: string[] };
  json(
    response,
    paths.flatMap(path => (files[path] ? [fileInfo(path, files[path])] : [])),
  );
}

function fileInfo(path: string, content: Uint8Array, size = content.length): object {
  const oid = createHash('sha256').update(content).digest('hex');
  const lfs = path.endsWith('.gguf') && { lfs: { oid, size, pointerSize: 130 } };
  return { type: 'file', path, size, oid: 'a'.repeat(40), ...lfs };
}

const about = (id: string, { token }: Repo) => ({
  _id: id,
  id,
  private: false,
  gated: token ? 'auto' : false,
  downloads: id.length,
  likes: 0,
  lastModified: '2026-10-01T00:00:00.000Z',
});

const search = (repos: Readonly<Record<string, Repo>>, words: string) =>
  Object.entries(repos).flatMap(([id, repo]) => (id.toLowerCase().includes(words) ? [about(id, repo)] : []));

function deliver(
  hub: FakeRepos,
  content: (path: string) => Uint8Array | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = decodeURIComponent(request.url ?? '');
  const { authorization, range } = request.headers;
  hub.delivered.push({ path, authorization, range });
  const bytes = content(path);
  if (!bytes) return refuse(response, 404);
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const part = start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {};
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': bytes.length - start, ...part });
  response.end(bytes.subarray(start));
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: 'no' }));
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
}
