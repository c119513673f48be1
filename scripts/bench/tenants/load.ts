/**
 * A load generator in a process of its own: clients that send their streaming completions one after the other. Reads the clients
 * on standard input and prints what each saw. Does next to nothing while answers arrive, so that it takes little of the machine
 * from the server: what came is read at the end.
 */
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** One request. */
export interface Job {
  readonly url: string;
  readonly key?: string;
  readonly body: object;
  /** When it is sent at the earliest, since the load began. */
  readonly atMs?: number;
  /** Leave that long after it was sent. */
  readonly abortMs?: number;
}

export interface Client {
  readonly jobs: readonly Job[];
  /** Begins again with its first job, until the others have ended or for so long. */
  readonly loop?: 'others' | number;
}

/** One answer; times in ms since the load began, `arrivals` those of its tokens. */
export interface Seen {
  readonly startMs: number;
  readonly endMs: number;
  readonly arrivals: readonly number[];
  readonly text: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly aborted: boolean;
}

interface Chunk {
  readonly choices?: readonly { readonly text: string }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number };
  } | null;
}

const agent = new Agent({ keepAlive: true });

/** What arrived, and when; `undefined` when it was left. */
function send({ url, key, body, abortMs }: Job): Promise<{ pieces: [number, Buffer][]; aborted: boolean }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) };
    const pieces: [number, Buffer][] = [];
    let aborted = false;
    const outgoing = request(url, { method: 'POST', headers, agent }, response => {
      response.on('data', (data: Buffer) => pieces.push([performance.now(), data]));
      response.on('end', () => {
        if (response.statusCode === 200) return resolve({ pieces, aborted });
        reject(new Error(`${response.statusCode}: ${Buffer.concat(pieces.map(([, data]) => data))}`));
      });
      response.on('error', error => (aborted ? resolve({ pieces, aborted }) : reject(error)));
    });
    outgoing.on('error', error => (aborted ? resolve({ pieces, aborted }) : reject(error)));
    outgoing.end(JSON.stringify(body));
    if (abortMs === undefined) return;
    setTimeout(() => {
      aborted = true;
      outgoing.destroy();
    }, abortMs);
  });
}

function read(pieces: readonly [number, Buffer][]) {
  const arrivals: number[] = [];
  let [answer, rest, usage] = ['', '', undefined as Chunk['usage']];
  for (const [at, data] of pieces) {
    const lines = (rest + data.toString('latin1')).split('\n');
    rest = lines.pop()!;
    for (const line of lines.filter(each => each.startsWith('data: {'))) {
      const chunk = JSON.parse(Buffer.from(line.slice(6), 'latin1').toString()) as Chunk;
      usage = chunk.usage ?? usage;
      if (!chunk.choices?.length) continue;
      arrivals.push(at);
      answer += chunk.choices[0]!.text;
    }
  }
  const { prompt_tokens = 0, completion_tokens = 0, prompt_tokens_details: details } = usage ?? {};
  const tokens = { promptTokens: prompt_tokens, completionTokens: completion_tokens };
  return { arrivals, text: answer, ...tokens, cachedTokens: details?.cached_tokens ?? 0 };
}

async function run({ jobs, loop }: Client, goesOn: () => boolean): Promise<Seen[]> {
  const sent: { startMs: number; endMs: number; pieces: [number, Buffer][]; aborted: boolean }[] = [];
  do {
    for (const job of jobs) {
      if (job.atMs) await sleep(begun + job.atMs - performance.now());
      const startMs = performance.now();
      const answer = await send(job);
      sent.push({ startMs, endMs: performance.now(), ...answer });
      if (loop !== undefined && !goesOn()) break;
    }
  } while (loop !== undefined && goesOn());
  return sent.map(({ pieces, ...times }) => ({ ...times, ...read(pieces) }));
}

const clients = JSON.parse(await text(process.stdin)) as Client[];
const begun = performance.now();
let left = clients.filter(({ loop }) => loop === undefined).length;
const seen = await Promise.all(
  clients.map(client => {
    const { loop } = client;
    const running = run(client, () => (loop === 'others' ? left > 0 : performance.now() - begun < loop!));
    if (loop === undefined) void running.finally(() => left--).catch(() => {});
    return running;
  }),
);
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
