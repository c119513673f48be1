/** What a program costs that waits for its model: memory of the process in which a thousand do. `node scripts/bench/suspended.ts [GUESTS]` */
import type { ModelId } from '../../src/sandbox/model-id.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import type { ProgramHost } from '../../src/sandbox/types.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { passOn, program, streamTokens } from '../../test/sandbox/helpers.ts';

const guests = Number(process.argv[2] ?? 1000);
// Waiting for a sandbox keeps no process alive.
const alive = setInterval(() => {}, 1000);
const sandbox = createSandbox({ workers: 1 });
const waiting = await sandbox.load('waiting', program(`${passOn} (i32.const 0)`, streamTokens));
const stop = new AbortController();
let begun = 0;
const all = Promise.withResolvers<void>();
const host: ProgramHost = {
  generate: async (_call, signal) => {
    if (++begun === guests) all.resolve();
    await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
  },
  encode: async () => [],
  decode: async () => '',
  metadata: () => '{}',
};
const options = { maxTokens: 1, temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0n, stopTokens: [] };
const limits = { ...tenantDefaults.programLimits, runs: guests, memoryMb: 64, deadlineMs: 600_000, sliceMs: 2_000 };
const run = (tenant: string) =>
  Array.fromAsync(
    sandbox.run({
      tenant,
      program: waiting,
      limits,
      prompt: 'Say hello',
      modelId: 0 as ModelId,
      options,
      host,
      signal: stop.signal,
    }),
  ).catch(() => {});

const resident = () => sandbox.stats().residentBytes / 1e6;
await new Promise(resolve => setTimeout(resolve, 1000));
const before = resident();
const started = performance.now();
const runs = Array.from({ length: guests }, (_, i) => run(`tenant ${i % 64}`));
await all.promise;
const ms = performance.now() - started;
const more = resident() - before;
console.log(
  `${guests} suspended guests: ${more.toFixed(0)} MB more than ${before.toFixed(0)}, begun in ${ms.toFixed(0)} ms`,
);
stop.abort();
await Promise.all(runs);
await sandbox.close();
clearInterval(alive);
