/** A page in headless Chromium, and the server on loopback that it comes from. */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Debian's, or the one that `CHROMIUM` names. */
const places = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
export const executable = places.find(path => path !== undefined && existsSync(path));

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
};

/** What makes a page cross-origin isolated: threads may share memory there. */
const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/** A processor that computes as a GPU would. */
const swiftShader = ['--headless=new', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

interface PageKind {
  readonly isolated?: boolean;
  /** With WebGPU. */
  readonly gpu?: boolean;
}

export interface OpenPage {
  readonly page: Page;
  close(): Promise<void>;
}

/** Serves files by their paths, with ranges, and an empty page as `/`. */
export async function openPage(
  files: Readonly<Record<string, string>>,
  { isolated = false, gpu = false }: PageKind = {},
): Promise<OpenPage> {
  const server = createServer((request, response) => {
    for (const [name, value] of isolated ? Object.entries(isolation) : []) response.setHeader(name, value);
    void answer(files, request, response);
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const args = ['--no-sandbox', ...(gpu ? swiftShader : [])];
  const browser = await chromium.launch({ ...(executable && { executablePath: executable }), args });
  const close = () => closeBoth(browser, server);
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return { page, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What an answer says. A logarithm's last bits are the JavaScript engine's own affair. */
export const rounded = (answer: object): unknown =>
  JSON.parse(JSON.stringify(answer), (_, value) => (typeof value === 'number' ? Number(value.toFixed(9)) : value));

async function closeBoth(browser: Browser, server: Server): Promise<void> {
  await browser.close();
  server.close();
}

async function answer(files: Readonly<Record<string, string>>, request: IncomingMessage, response: ServerResponse) {
  const path = files[(request.url ?? '').split('?')[0]!];
  if (path === undefined) {
    response.writeHead(request.url === '/' ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' });
    return response.end('<!doctype html><title>Realm</title>');
  }
  const file = await open(path);
  const { size } = await file.stat();
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  const [start, end] = range ? [Number(range[1]), Math.min(Number(range[2]), size - 1)] : [0, size - 1];
  response.writeHead(range ? 206 : 200, {
    'content-type': types[extname(path)] ?? 'application/octet-stream',
    'content-length': end - start + 1,
    ...(range && { 'content-range': `bytes ${start}-${end}/${size}` }),
  });
  file.createReadStream({ start, end }).pipe(response);
}
