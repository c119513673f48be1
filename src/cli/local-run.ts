import { type RunningServer, startServer } from '../server/start.ts';
import { createLogger } from '../telemetry/log.ts';
import { readConfig } from '../tenancy/config.ts';
import { createKey } from '../tenancy/keys.ts';
import { type LoadOptions, loadProgress } from './load.ts';
import { remark } from './output.ts';
import { refusal } from './refusal.ts';

/** What a run took. */
export interface RunCost {
  /** Of engines. */
  readonly calls: number;
  readonly input_tokens: number;
  readonly cached_tokens: number;
  readonly output_tokens: number;
  /** That the program has computed; undefined: nobody counted. */
  readonly fuel?: number | undefined;
  readonly ms: number;
}

interface LogLine {
  readonly message: string;
  readonly fuel?: number;
  /** Of what the program itself writes to the log. */
  readonly program_level?: string;
  readonly text?: string;
}

type UsageRow = Omit<RunCost, 'fuel' | 'ms'>;

/** A whole server that nobody reaches, with one tenant whose program it is: what runs here runs there. */
export class LocalRun implements AsyncDisposable {
  readonly #server: RunningServer;
  readonly #key: string;
  readonly #lines: LogLine[];
  #ms = 0;

  private constructor(server: RunningServer, key: string, lines: LogLine[]) {
    this.#server = server;
    this.#key = key;
    this.#lines = lines;
  }

  /** `program`: an absolute path. Throws what is wrong with it, or with the model. */
  static async start(program: string, options: LoadOptions & { readonly memory?: number }): Promise<LocalRun> {
    const { model, memory, context, threads, device, gpuLayers } = options;
    const { key, hash } = createKey('local');
    const tenant = {
      id: 'local',
      keys: [hash],
      program,
      debug: true,
      ...(memory !== undefined && { memory_mb: memory }),
    };
    const document = { server: { store: 'memory', admin_keys: [hash], log: { level: 'debug' } }, tenants: [tenant] };
    const config = await readConfig(document, process.cwd(), 'the command');
    const lines: LogLine[] = [];
    const logger = createLogger({ format: 'json', write: line => lines.push(noted(JSON.parse(line))) });
    const { observer, onProgress, stop } = loadProgress();
    const loading = {
      observer,
      onProgress,
      ...(model && { model }),
      ...(context && { context }),
      ...(threads && { threads }),
      ...(device && { device }),
      gpuLayers,
    };
    const server = await startServer({ config, offline: true, logger, ...loading }).finally(stop);
    return new LocalRun(server, key, lines);
  }

  /** The answer's text as it comes; calls of tools as lines of JSON. Throws what the server refuses. */
  async *answer(body: object, signal: AbortSignal): AsyncGenerator<string> {
    const path = 'messages' in body ? '/v1/chat/completions' : '/v1/completions';
    const started = performance.now();
    const response = await this.#ask('POST', path, { ...body, stream: true }, signal);
    if (!response.ok) throw refusal(await response.json(), 'the request was refused');
    for await (const chunk of framesOf(response)) {
      if ('error' in chunk) throw refusal(chunk, 'the program failed');
      for (const { text = '', delta = {} } of chunk.choices ?? []) {
        yield text + (delta.reasoning_content ?? '') + (delta.content ?? '');
        for (const call of delta.tool_calls ?? []) yield `${JSON.stringify(call)}\n`;
      }
    }
    this.#ms = Math.round(performance.now() - started);
  }

  async cost(): Promise<RunCost> {
    const { rows } = await (await this.#ask('GET', '/admin/v1/usage?tenant=local')).json();
    const { calls = 0, input_tokens = 0, cached_tokens = 0, output_tokens = 0 }: Partial<UsageRow> = rows[0] ?? {};
    const fuel = this.#lines.find(line => line.fuel !== undefined)?.fuel;
    return { calls, input_tokens, cached_tokens, output_tokens, fuel, ms: this.#ms };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }

  #ask(method: string, path: string, body?: object, signal?: AbortSignal): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' };
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }), ...(signal && { signal }) };
    return this.#server.fetch(new Request(`http://localhost${path}`, init));
  }
}

/** What the program logs is for whoever writes it. */
function noted(line: LogLine): LogLine {
  if (line.message === 'program' && line.text !== undefined) remark(`${line.program_level}: ${line.text}`);
  return line;
}

interface Chunk {
  readonly choices?: readonly {
    readonly text?: string;
    readonly delta?: {
      readonly content?: string | null;
      readonly reasoning_content?: string;
      readonly tool_calls?: readonly object[];
    };
  }[];
}

/** What the frames of an event stream say. */
async function* framesOf({ body }: Response): AsyncGenerator<Chunk> {
  let rest = '';
  for await (const piece of body!.pipeThrough(new TextDecoderStream())) {
    const frames = (rest + piece).split('\n\n');
    rest = frames.pop()!;
    for (const frame of frames) if (frame.startsWith('data: {')) yield JSON.parse(frame.slice('data: '.length));
  }
}
