/** A web server on loopback whose files can be slow, cut, changed or hidden, and a browser whose pages come from it. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type * as Library from '../../src/browser.ts';
import type * as Source from '../../src/library/page-source.ts';
import { executable } from './page.ts';

export interface ServedFile {
  bytes: Uint8Array;
  etag?: string;
  /** Default `true`. */
  ranges?: boolean;
  /** Other origins' pages may read it. */
  cors?: boolean;
  /** After so many bytes of a response the connection is cut, or nothing more comes until {@link ModelServer.release}. */
  cutAfter?: number;
  holdAfter?: number;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
}

export class ModelServer {
  readonly files = new Map<string, ServedFile>();
  /** Of models, not of pages and scripts. */
  asked: Asked[] = [];
  readonly #server: Server;
  #held: (() => void)[] = [];
  readonly #scripts: string;

  /** `scripts`: the folder that they are in. */
  constructor(scripts: string) {
    this.#scripts = scripts;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  origin(host = '127.0.0.1'): string {
    return `http://${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Lets go on what is held. */
  release(): void {
    for (const each of this.#held.splice(0)) each();
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    if (path === '/') return void response.setHeader('content-type', 'text/html').end('<!doctype html>');
    if (path.endsWith('.js')) {
      response.setHeader('content-type', 'text/javascript');
      return void response.end(await readFile(join(this.#scripts, path)));
    }
    if (path === '/favicon.ico') return void response.writeHead(404).end();
    this.asked.push({ method: request.method ?? '', path, range: request.headers.range });
    const file = this.files.get(path);
    if (!file) return void response.writeHead(404).end();
    const range = file.ranges === false ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(Number(range?.[2] || Number.POSITIVE_INFINITY), file.bytes.length - 1);
    response.writeHead(range ? 206 : 200, {
      'content-length': end - start + 1,
      ...(range && { 'content-range': `bytes ${start}-${end}/${file.bytes.length}` }),
      ...(file.etag && { etag: file.etag }),
      ...(file.cors && { 'access-control-allow-origin': '*' }),
    });
    if (request.method === 'HEAD') return void response.end();
    await this.#send(file, file.bytes.subarray(start, end + 1), response);
  }

  async #send(file: ServedFile, bytes: Uint8Array, response: ServerResponse): Promise<void> {
    const first = Math.min(file.cutAfter ?? file.holdAfter ?? bytes.length, bytes.length);
    await new Promise(sent => response.write(bytes.subarray(0, first), sent));
    if (first < bytes.length && file.cutAfter !== undefined) return void response.destroy();
    if (first < bytes.length) await new Promise<void>(go => this.#held.push(go));
    response.end(bytes.subarray(first));
  }
}

/** A profile of the browser with an empty store, and how pages of it load models. */
export class Visitor {
  readonly #server: ModelServer;
  readonly context: BrowserContext;

  constructor(server: ModelServer, context: BrowserContext) {
    this.#server = server;
    this.context = context;
  }

  async page(): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(`${this.#server.origin()}/`);
    return page;
  }

  /** Loads a model in a page, a new one if none is given, and asks it for two tokens. */
  load(source: string, options: LoadInPage = {}, page?: Page): Promise<Loaded> {
    return this.#in(page, where => where.evaluate(inPage, { source, options, whole: true }));
  }

  /** The same without the engine, which takes its time: only what comes before. */
  fetch(source: string, options: LoadInPage = { cache: true }, page?: Page): Promise<Loaded> {
    return this.#in(page, where => where.evaluate(inPage, { source, options, whole: false }));
  }

  async #in<T>(page: Page | undefined, work: (page: Page) => Promise<T>): Promise<T> {
    const where = page ?? (await this.page());
    try {
      return await work(where);
    } finally {
      if (!page) await where.close();
    }
  }

  async kept(): Promise<Library.CachedModel[]> {
    const page = await this.page();
    const kept = await page.evaluate(async () => {
      const url = '/browser.js';
      const library: typeof Library = await import(url);
      return library.cachedModels();
    });
    await page.close();
    return kept;
  }

  /** Folders and files in the store. */
  async stored(): Promise<string[]> {
    const page = await this.page();
    const found = await page.evaluate(async () => {
      const names: string[] = [];
      const walk = async (folder: FileSystemDirectoryHandle, path: string): Promise<void> => {
        for await (const [name, each] of folder as unknown as AsyncIterable<[string, FileSystemHandle]>) {
          if (each.kind === 'directory') await walk(each as FileSystemDirectoryHandle, `${path}${name}/`);
          names.push(`${path}${name}`);
        }
      };
      const root = await navigator.storage.getDirectory();
      await walk(await root.getDirectoryHandle('realm-models', { create: true }), '');
      return names;
    });
    await page.close();
    return found;
  }
}

export interface LoadInPage {
  readonly cache?: boolean;
  readonly sha256?: string | readonly string[];
  /** Bytes of the download after which it is aborted. */
  readonly abortAt?: number;
}

export interface Loaded {
  readonly text?: string;
  readonly path?: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly warnings: readonly string[];
  readonly downloads: readonly { readonly done: number; readonly total: number }[];
}

interface InPage {
  readonly source: string;
  readonly options: LoadInPage;
  readonly whole: boolean;
}

/** Runs in the page. */
async function inPage({ source, options, whole }: InPage): Promise<Loaded> {
  const scripts = ['/browser.js', '/page-source.js'];
  const { abortAt = Number.POSITIVE_INFINITY, ...rest } = options;
  const warnings: string[] = [];
  const downloads: { done: number; total: number }[] = [];
  const abort = new AbortController();
  const place = source.startsWith('/') ? new URL(source, location.href) : source;
  const loading: Library.PageOptions = {
    ...rest,
    context: 64,
    signal: abort.signal,
    onWarning: warning => warnings.push(warning),
    onProgress: ({ phase, done, total }) => {
      if (phase === 'download') downloads.push({ done, total });
      if (phase === 'download' && done >= abortAt) abort.abort();
    },
  };
  try {
    if (!whole) {
      const { pageSource }: typeof Source = await import(scripts[1]!);
      return { path: (await pageSource(place, loading)).name, warnings, downloads };
    }
    const { loadModel }: typeof Library = await import(scripts[0]!);
    const model = await loadModel(place, loading);
    const { text } = await model.generate('a', { maxTokens: 2, temperature: 0 });
    const { path } = model.info;
    await model.close();
    return { text, path, warnings, downloads };
  } catch (error) {
    const { code, name, message } = error as Library.RealmError;
    return { error: { code: typeof code === 'string' ? code : name, message }, warnings, downloads };
  }
}

export async function launch(): Promise<Browser> {
  return chromium.launch({ ...(executable && { executablePath: executable }), args: ['--no-sandbox'] });
}
