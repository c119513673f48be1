import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeHub {
  readonly url: string;
  /** `Range` headers of the downloads so far; an empty text for a whole file. */
  readonly ranges: string[];
  /** Bytes of files sent. */
  sent: number;
  close(): Promise<void>;
}

export interface FakeHubOptions {
  readonly content: Uint8Array;
  /** What the hub says of the file. */
  readonly size?: number;
  readonly sha256: string;
  /** Answers download `n` (from 0) instead of the ordinary way; returns false to leave it to that. */
  readonly answer?: (n: number, request: IncomingMessage, response: ServerResponse) => boolean;
  /** Milliseconds between chunks. */
  readonly delayMs?: number;
}

/** A Hugging Face hub on the loopback interface: the file API that asks for checksums, and downloads with ranges. */
export async function startFakeHub(options: FakeHubOptions): Promise<FakeHub> {
  const ranges: string[] = [];
  const hub = { url: '', ranges, sent: 0, close: () => Promise.resolve() };
  const server = createServer((request, response) => {
    if (request.method === 'POST') return sendInfo(options, response);
    const n = ranges.push(request.headers.range ?? '') - 1;
    if (!options.answer?.(n, request, response)) void sendFile(options, hub, request, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  hub.close = async () => {
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  };
  return hub;
}

function sendInfo({ content, size = content.length, sha256 }: FakeHubOptions, response: ServerResponse): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify([{ path: 'file.gguf', type: 'file', size, lfs: { oid: sha256, size, pointerSize: 1 } }]));
}

async function sendFile(
  { content, delayMs = 0 }: FakeHubOptions,
  hub: FakeHub,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const length = content.length - start;
  const range = { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` };
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': length, ...(start > 0 && range) });
  for (let at = start; at < content.length; at += 65536) {
    const chunk = content.subarray(at, at + 65536);
    hub.sent += chunk.length;
    response.write(chunk);
    if (delayMs > 0) await new Promise(resolve => setTimeout(resolve, delayMs));
  }
  response.end();
}
