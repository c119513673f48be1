import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { RealmError } from '../errors.ts';
import { frames } from '../server/sockets/frames.ts';
import { startServer } from '../server/start.ts';
import { defaultConfig, loadConfig, type RealmConfig } from '../tenancy/config.ts';
import { ApiClient, refusal } from './api-client.ts';
import { loadProgress } from './load.ts';
import { print, printJson, remark } from './output.ts';

export interface RunPipelineOptions {
  readonly input?: string;
  readonly url?: string;
  readonly config?: string;
  readonly model?: string;
  readonly json?: boolean;
}

/** `realm pipeline run`: on a server that runs, or on one that lives as long as the run. */
export async function run(pipeline: string, options: RunPipelineOptions): Promise<void> {
  const input = readInput(options.input ?? (await text(process.stdin)));
  if (options.url !== undefined)
    return ask(new ApiClient(options.url, process.env.REALM_API_KEY), pipeline, input, options);
  const { config, name } = await local(pipeline, options);
  const { observer, onProgress, stop } = loadProgress();
  const model = options.model === undefined ? {} : { model: options.model };
  const server = await startServer({ config, ...model, observer, onProgress }).finally(stop);
  try {
    const client = new ApiClient(server.url, undefined);
    await ask(client, name ?? (await onlyOne(client)), input, options);
  } finally {
    await server.close();
  }
}

function readInput(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new RealmError('usage', `--input must be JSON; a text is one in quotes: '"like this"'.`, { param: 'input' });
  }
}

/** The models, tools and pipelines of the configuration without its tenants: whoever runs the command is the only one. */
async function local(
  pipeline: string,
  { config: path }: RunPipelineOptions,
): Promise<{ config: RealmConfig; name?: string }> {
  const isFile = (await stat(pipeline).catch(() => undefined))?.isFile() === true;
  if (!isFile && path === undefined)
    throw new RealmError('usage', `There is no file ${pipeline}. For a name, say --config or --url.`);
  const config = path === undefined ? defaultConfig() : await loadConfig(path);
  const own = {
    ...config,
    host: '127.0.0.1',
    port: 0,
    store: 'memory',
    tenants: undefined,
    adminKeys: undefined,
    redis: undefined,
    webhooks: [],
    sessions: undefined,
  };
  return isFile ? { config: { ...own, pipelines: [resolve(pipeline)] } } : { config: own, name: pipeline };
}

async function onlyOne(client: ApiClient): Promise<string> {
  const { data } = await (await client.ask('GET', '/v1/pipelines')).json();
  return data[0].id;
}

async function ask(
  client: ApiClient,
  name: string,
  input: unknown,
  { json = false }: RunPipelineOptions,
): Promise<void> {
  const answer = await client.ask('POST', `/v1/pipelines/${encodeURIComponent(name)}`, { input, stream: true });
  for await (const data of frames(answer)) {
    if (data === undefined) continue;
    const event = JSON.parse(data);
    if (event.type === 'error') throw refusal(event.error);
    if (event.type === 'step') tell(event);
    if (event.type !== 'result') continue;
    const { type: _, ...whole } = event;
    if (json) printJson(whole);
    else print(typeof whole.output === 'string' ? whole.output : JSON.stringify(whole.output, undefined, 2));
  }
}

interface StepEvent {
  readonly step: string;
  readonly state: string;
  readonly at_ms: number;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Progress, for people. */
function tell({ step, state, at_ms, error }: StepEvent): void {
  if (state === 'started') return;
  remark(`[${(at_ms / 1000).toFixed(1)} s] ${step}: ${state}${error ? ` (${error.code}: ${error.message})` : ''}`);
}
