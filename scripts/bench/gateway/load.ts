/**
 * A load generator in a process of its own: clients that ask one after the other on connections of their own. Takes the work as
 * JSON and prints what it saw.
 */
import { Agent, request } from 'node:http';
import { quantile } from '../tenants/figures.ts';

export interface LoadWork {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body of each request; `{i}` in it, and in headers, is the request's number. */
  readonly body: string;
  readonly clients: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** Ends after so many requests, instead of after a time. */
  readonly count?: number;
}

export interface LoadSeen {
  readonly perSecond: number;
  /** From the request to the first byte of its answer. */
  readonly firstMs: { readonly p50: number; readonly p99: number };
  /** Of those that were counted, and of all. */
  readonly answers: number;
  readonly sent: number;
  /** Answers by status, where it is not 200. */
  readonly others: Readonly<Record<string, number>>;
}

const work: LoadWork = JSON.parse(process.argv[2]!);
const agent = new Agent({ keepAlive: true, maxSockets: work.clients });
let number = 0;

/** Milliseconds to the first byte, and the status; done when the answer is. */
function ask(): Promise<{ firstMs: number; status: number }> {
  const i = String(number++);
  const body = work.body.replaceAll('{i}', i);
  const own = Object.entries(work.headers).map(([name, value]) => [name, value.replaceAll('{i}', i)] as const);
  const length = Buffer.byteLength(body);
  const headers = { 'content-type': 'application/json', 'content-length': length, ...Object.fromEntries(own) };
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const outgoing = request(work.url, { method: 'POST', agent, headers }, response => {
      let firstMs = 0;
      response.on('data', () => {
        firstMs ||= performance.now() - started;
      });
      response.on('end', () => resolve({ firstMs, status: response.statusCode! }));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const begun = performance.now();
const from = begun + 1000 * work.warmSeconds;
const until = from + 1000 * work.seconds;
const times: number[] = [];
const others: Record<string, number> = {};
await Promise.all(
  Array.from({ length: work.clients }, async () => {
    const goesOn = (now: number) => (work.count === undefined ? now < until : number < work.count);
    for (let now = performance.now(); goesOn(now); now = performance.now()) {
      const { firstMs, status } = await ask();
      if (now < from) continue;
      times.push(firstMs);
      if (status !== 200) others[status] = (others[status] ?? 0) + 1;
    }
  }),
);
const seen: LoadSeen = {
  perSecond: times.length / ((performance.now() - from) / 1000),
  firstMs: { p50: quantile(times, 0.5), p99: quantile(times, 0.99) },
  answers: times.length,
  sent: number,
  others,
};
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
