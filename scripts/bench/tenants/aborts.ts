import { setTimeout as sleep } from 'node:timers/promises';
import { expect, type Figure, factFigure, number, type Setup } from './figures.ts';
import type { Client, Seen } from './load.ts';
import { prompt } from './prompts.ts';
import { load, startRealm } from './servers.ts';

/** A crowd, most of which is left in the queue or in the prompt, and a few, most of which are left in the answer. */
const crowds = [
  { clients: 25, each: 200, longestMs: 500, prompts: 150 },
  { clients: 8, each: 625, longestMs: 240, prompts: 40 },
] as const;

/** Ten thousand requests that are left at a random moment: in the queue, in their prompt, in their answer. */
export async function aborts({ model, tokenizer }: Setup): Promise<Figure[]> {
  const server = await startRealm({ model, tenants: 5, ends: tokenizer.endOfGeneration });
  try {
    const bystander: Client = { jobs: [server.job(0, prompt(tokenizer, 60, 1), 200)] };
    const [[undisturbed] = []] = await load([bystander]);
    const disturbed: Seen[] = [];
    const left: Seen[] = [];
    for (const { clients, each, longestMs, prompts } of crowds) {
      const leaving = Array.from({ length: clients }, (_, client) => ({
        jobs: Array.from({ length: each }, (_, i) => {
          const number = 2 + client * each + i;
          const job = server.job(1 + (client % 4), prompt(tokenizer, 10 + ((number * 37) % prompts), number), 100);
          return { ...job, abortMs: (number * 7919) % longestMs };
        }),
      }));
      const [own, ...others] = await load([{ ...bystander, loop: 'others' }, ...leaving]);
      disturbed.push(...own!);
      left.push(...others.flat());
    }
    const aborted = left.filter(seen => seen.aborted);
    expect(aborted.length > 0.9 * left.length, `${aborted.length} of ${left.length} were left`);
    for (let tries = 0; (await server.metric('realm_requests_open')) > 0 && tries < 50; tries++) await sleep(100);
    const leaked = await counts(server.metric);
    const same = disturbed.every(({ text }) => text === undisturbed!.text);
    const begun = aborted.filter(({ arrivals }) => arrivals.length > 0).length;
    const seen = `${leaked} leaked, ${disturbed.length} bystanders' answers ${same ? 'unchanged' : 'CHANGED'}; ${begun} of ${number(aborted.length)} had begun to answer`;
    const warned = server.warnings().includes('MaxListeners');
    return [factFigure('10,000 aborts', seen, '0 leaked, unchanged', leaked === 0 && same && !warned)];
  } finally {
    await server.stop();
  }
}

/** Requests, sequences and pages that nobody has any more. */
async function counts(metric: (name: string) => Promise<number>): Promise<number> {
  const open = await metric('realm_requests_open');
  const sequences = (await metric('realm_sequences_running')) + (await metric('realm_sequences_waiting'));
  const pages = (await metric('realm_kv_pages_used')) - (await metric('realm_kv_pages_cached'));
  return open + sequences + pages;
}
