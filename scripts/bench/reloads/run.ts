/** A model that is unloaded again and again while requests ask for it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startServer } from '../../../src/server/start.ts';
import { readConfig } from '../../../src/tenancy/config.ts';
import { writeSynthetic } from '../../synthetic/model.ts';

export interface Reloads {
  /** Loads that there were. */
  readonly loads: number;
  readonly requests: number;
  /** What failed, as the client was told. */
  readonly failed: readonly string[];
  /** Resident bytes after each tenth of the loads, nothing loaded. */
  readonly resident: readonly number[];
  /** Bytes of buffers then: what a model that is gone would leave behind first. */
  readonly buffers: readonly number[];
}

export interface ReloadOptions {
  /** Times that the model is unloaded. */
  readonly times: number;
  /** A file instead of a tiny synthetic model. */
  readonly model?: string | undefined;
  /** Requests at once. */
  readonly clients?: number;
  readonly onTenth?: (resident: number) => void;
}

const tiny = { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 2 };

export async function reload({ times, model, clients = 4, onTenth }: ReloadOptions): Promise<Reloads> {
  const folder = await mkdtemp(join(tmpdir(), 'realm-reloads-'));
  const path = model ?? join(folder, 'tiny.gguf');
  if (model === undefined) writeSynthetic(path, { with: tiny });
  const raw = { server: { port: 0 }, models: [{ id: 'm', path, context: 256, load: 'demand' }] };
  const server = await startServer({ config: await readConfig(raw, folder, 'reloads'), threads: 1 });
  const post = async (where: string, body?: object) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${server.url}${where}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body) ?? null,
    });
    return { ok: response.ok, text: await response.text() };
  };
  const failed: string[] = [];
  const resident: number[] = [];
  const buffers: number[] = [];
  const collect = garbageCollector();
  let [requests, loads, over] = [0, 0, false];
  let pause = Promise.resolve();
  const client = async () => {
    while (!over) {
      await pause;
      const stream = requests++ % 2 === 0;
      const { ok, text } = await post('/v1/completions', { model: 'm', prompt: 'once upon', max_tokens: 4, stream });
      if (!ok || text.includes('"error"')) failed.push(text);
    }
  };
  const unload = async () => {
    const { ok, text } = await post('/admin/v1/models/m/unload');
    if (!ok) failed.push(text);
  };
  try {
    const running = Array.from({ length: clients }, client);
    const tenth = Math.max(1, Math.floor(times / 10));
    for (let i = 1; i <= times; i++) {
      await post('/v1/completions', { model: 'm', prompt: 'x', max_tokens: 1 });
      loads++;
      if (i % tenth !== 0) {
        await unload();
        continue;
      }
      const goOn = Promise.withResolvers<void>();
      pause = goOn.promise;
      await unload();
      await new Promise(resolve => setTimeout(resolve, 500));
      await unload();
      collect();
      const { rss, arrayBuffers } = process.memoryUsage();
      resident.push(rss);
      buffers.push(arrayBuffers);
      onTenth?.(resident.at(-1)!);
      goOn.resolve();
    }
    over = true;
    await Promise.all(running);
    return { loads, requests, failed, resident, buffers };
  } finally {
    over = true;
    await server.close();
    await rm(folder, { recursive: true });
  }
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}
