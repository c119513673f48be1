/** Requests that come whether or not the last ones were answered, as clients' do, and a probe beside them. */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Target {
  readonly url: string;
  readonly key: string;
  /** Of one answer. */
  readonly maxTokens: number;
}

/** One answer, as its client saw it; status 0: the connection failed. */
export interface Seen {
  readonly status: number;
  readonly ms: number;
  readonly retryAfter: string | undefined;
}

const agent = new Agent({ keepAlive: true });
/** A probe is a connection of its own each time, as kubernetes' are. */
const probing = new Agent({ keepAlive: false });

/** A completion of exactly so many tokens, unless it is refused. */
export function ask({ url, key, maxTokens }: Target, i: number): Promise<Seen> {
  const body = JSON.stringify({ model: 'm', prompt: `number ${i} of many`, max_tokens: maxTokens, ignore_eos: true });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  return send(`${url}/v1/completions`, 'POST', agent, headers, body);
}

export const probe = ({ url }: Pick<Target, 'url'>): Promise<Seen> => send(`${url}/health`, 'GET', probing, {});

function send(url: string, method: string, through: Agent, headers: object, body?: string): Promise<Seen> {
  const started = performance.now();
  return new Promise(resolve => {
    const seen = (status: number, retryAfter?: string) =>
      resolve({ status, ms: performance.now() - started, retryAfter });
    const outgoing = request(url, { method, agent: through, headers: { ...headers } }, response => {
      response.resume();
      response.on('end', () => seen(response.statusCode ?? 0, response.headers['retry-after']));
      response.on('error', () => seen(0));
    });
    outgoing.on('error', () => seen(0));
    outgoing.end(body);
  });
}

/** As many as it can take: clients that ask again when they have been answered. Answers a second. */
export async function peak(target: Target, clients: number, ms: number): Promise<number> {
  const end = performance.now() + ms;
  let [answers, next] = [0, 0];
  const client = async (): Promise<void> => {
    while (performance.now() < end) if ((await ask(target, next++)).status === 200) answers++;
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: clients }, client));
  return (1000 * answers) / (performance.now() - started);
}

export interface Overload {
  readonly requests: readonly Seen[];
  readonly probes: readonly Seen[];
  /** Answers a second while requests came. */
  readonly goodput: number;
}

/** So many requests a second for so long, and a probe every 50 ms. */
export async function overload(target: Target, perSecond: number, ms: number): Promise<Overload> {
  const started = performance.now();
  const requests: Promise<Seen>[] = [];
  const probes: Promise<Seen>[] = [];
  let answered = 0;
  const one = async (i: number): Promise<Seen> => {
    const seen = await ask(target, i);
    if (seen.status === 200 && performance.now() - started < ms) answered++;
    return seen;
  };
  for (let passed = 0; passed < ms; passed = performance.now() - started) {
    while (requests.length < (passed * perSecond) / 1000) requests.push(one(requests.length));
    while (probes.length < passed / 50) probes.push(probe(target));
    await sleep(2);
  }
  return {
    requests: await Promise.all(requests),
    probes: await Promise.all(probes),
    goodput: (1000 * answered) / ms,
  };
}

/** The value below which so large a share lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
