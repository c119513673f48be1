import { asRealmError } from '../errors.ts';
import type { RunningServer } from '../server/start.ts';
import { throwIfCancelled } from './generation.ts';
import { requireNode } from './node-version.ts';
import type { Device, LoadProgress } from './options.ts';

/** What goes before a server's configuration. */
export interface ServeOptions {
  /** A catalog name or a path, instead of the models of the configuration. */
  readonly model?: string;
  /** Address to listen on. */
  readonly host?: string;
  /** 0: any free port. */
  readonly port?: number;
  /** Most tokens of a prompt and its answer together, for every model. */
  readonly context?: number;
  /** Compute threads of each model. */
  readonly threads?: number;
  /** Where models are computed: a GPU where there is one that passes the self-test (`auto`), `cpu`, `gpu`, `gpu:1`. Default: what the configuration says, else `auto`. */
  readonly device?: Device;
  /** On a GPU the last so many layers of each model, the others on the CPU. Default: what the configuration says, else as many as fit. */
  readonly gpuLayers?: number;
  /** Hears the log, one JSON object a line. Default: nobody does. */
  readonly onLog?: (line: string) => void;
  /** Hears how far downloads and loading are. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Aborted: the server stops as with {@link Server.close}. */
  readonly signal?: AbortSignal;
}

/** A server that answers requests. */
export interface Server extends AsyncDisposable {
  /** Where it listens, without a path: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Takes no new requests, waits for those in progress as long as the configuration says, and frees everything. */
  close(): Promise<void>;
}

/**
 * Starts a server for many tenants, with the API of OpenAI; it is ready when the promise resolves.
 *
 * @param config The path of a `realm.yaml`, or the same as an object (paths in it are relative to the working directory).
 * Without one: the default model, for programs on this machine.
 * @throws RealmError `config_invalid` (every mistake in it), `port_in_use`, `program_invalid`, `request_cancelled`, and what
 * {@link loadModel} throws. Nothing is left running then.
 */
export async function serve(config: string | object = {}, options: ServeOptions = {}): Promise<Server> {
  const { onLog, onProgress, signal, ...rest } = options;
  requireNode();
  throwIfCancelled(signal);
  // Who only loads models needs nothing of the server.
  const { startServer } = await import('../server/start.ts');
  const { createLogger } = await import('../telemetry/log.ts');
  const { readConfig } = await import('../tenancy/config.ts');
  try {
    const server = await startServer({
      ...rest,
      ...(typeof config === 'string'
        ? { configPath: config }
        : { config: await readConfig(config, process.cwd(), 'the configuration') }),
      logger: onLog && createLogger({ format: 'json', write: line => onLog(line.trimEnd()) }),
      observer: { progress: ({ received, total }) => onProgress?.({ phase: 'download', done: received, total }) },
      onProgress: (done, total) => onProgress?.({ phase: 'load', done, total }),
      signal,
    });
    if (signal?.aborted) await server.close();
    throwIfCancelled(signal);
    return running(server, signal);
  } catch (error) {
    throwIfCancelled(signal);
    throw asRealmError(error);
  }
}

function running({ url, close: stop }: RunningServer, signal: AbortSignal | undefined): Server {
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= stop());
  signal?.addEventListener('abort', () => void close().catch(() => {}), { once: true });
  return { url, close, [Symbol.asyncDispose]: close };
}
