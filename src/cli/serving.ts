import { totalmem } from 'node:os';
import type { DeviceChoice } from '../backend/device.ts';
import { betterModel, defaultModel } from '../catalog/catalog.ts';
import type { EngineInfo } from '../engine/types.ts';
import { architectures } from '../model/architectures/table.ts';
import { pageFiles } from '../server/page-files.ts';
import { type RunningServer, startServer } from '../server/start.ts';
import { createLogger } from '../telemetry/log.ts';
import { commandName } from './command-name.ts';
import { loadProgress } from './load.ts';
import { formatBytes, print, remark } from './output.ts';

export interface ServeOptions {
  readonly config?: string;
  readonly model?: string;
  readonly models?: string;
  readonly host?: string;
  readonly port?: number;
  readonly context?: number;
  readonly threads?: number;
  readonly device?: DeviceChoice;
  readonly gpuLayers?: number;
}

/** `realm serve`: starts, says where, and stops on Ctrl-C or SIGTERM: first after draining, the second time at once. */
export async function serve({ config: configPath, ...options }: ServeOptions): Promise<void> {
  const format = process.stderr.isTTY ? 'text' : 'json';
  const logger = createLogger({ format, write: line => process.stderr.write(line) });
  const { observer, onProgress, stop } = loadProgress();
  const server = await startServer({ ...options, configPath, logger, observer, onProgress }).finally(stop);
  announce(server, options);
  // Without a file there is nothing to read again, and the terminal that is closed ends the server.
  if (configPath !== undefined) process.on('SIGHUP', () => void server.reload());
  // Where there is such a signal: for whoever has a shell, and no key for the API.
  if (process.platform !== 'win32') process.on('SIGUSR2', () => server.logs.toggleDebug());
  await ended();
  remark('Stopping: no new requests; those in progress may finish. Again to stop at once.');
  process.once('SIGINT', () => process.exit(1));
  process.once('SIGTERM', () => process.exit(1));
  await server.close();
}

/** All in one write: whoever reads no further than the address closes the pipe, which must not end the server. */
function announce({ url, models, unloaded, keyed }: RunningServer, options: ServeOptions): void {
  const loaded = models.map(({ id, file, engine }) => {
    const { architecture, backend, loadMs } = engine.info;
    const loading = `${backend}; loaded in ${Math.round(loadMs)} ms`;
    return `${id}: ${file.origin}; ${architecture}, ${contextText(engine.info)}, ${loading}`;
  });
  const others = unloaded.map(({ id, problem }) => {
    return problem === undefined ? `${id}: loaded on demand` : `${id}: cannot be loaded: ${problem}`;
  });
  const name = models[0]?.id ?? unloaded[0]?.id;
  const header = keyed ? " -H 'authorization: Bearer KEY'" : '';
  const body = `{"model": "${name}", "messages": [{"role": "user", "content": "Name the capital city of France."}]}`;
  const lines = [
    ...loaded,
    ...others,
    `\nServing ${url}/v1 for OpenAI's clients; ${url}/health, ${url}/ready, ${url}/metrics`,
    ...(pageFiles().size > 0 ? [`A page for people: ${url}/`] : []),
    `\n  curl ${url}/v1/chat/completions${header} -H 'content-type: application/json' -d '${body}'\n`,
  ];
  if (options.model === undefined && options.models === undefined && name === defaultModel) lines.push(...suggestion());
  print(lines.join('\n'));
}

/** How long a prompt and its answer may be, and why. */
function contextText({ context, trainedContext, contextFrom }: EngineInfo): string {
  switch (contextFrom) {
    case 'training':
      return `context ${context} (all that it was trained for)`;
    case 'configuration':
      return `context ${context} (as configured; it was trained for ${trainedContext})`;
    case 'memory':
      return `context ${context} (what the free memory holds; it was trained for ${trainedContext}, and --context sets it)`;
    default:
      return contextFrom satisfies never;
  }
}

/** The default model is chosen for its size; most machines hold a far better one. Half of the memory is left to others. */
function suggestion(): string[] {
  const runnable = new Set(architectures.map(({ name }) => name));
  const better = betterModel(defaultModel, totalmem() / 2, runnable);
  if (!better) return [];
  const cost = `${formatBytes(better.approximateSize)} to fetch, ${formatBytes(better.memory)} of memory`;
  return [
    `${defaultModel} is small and knows little. Better on this machine: ${commandName} serve --model ${better.name} (${cost}).`,
  ];
}

function ended(): Promise<void> {
  return new Promise(resolve => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}
