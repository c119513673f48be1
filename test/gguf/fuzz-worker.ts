/** Runs one job of fuzz.test.ts apart from the test runner, whose hooks make every promise several times as dear. */
import { parentPort, workerData } from 'node:worker_threads';
import { dearFiles } from './dear-files.ts';
import { checkAccepted, checkRefused, costOf, openGuarded } from './guarded-open.ts';
import { encodeFields, mutate, randomFile, seeded } from './mutate.ts';

export type Job = { kind: 'mutate'; seed: number; count: number } | { kind: 'dear'; name: string };

/** How many of the mutated files were accepted, or refused with each code. */
async function fuzz(seed: number, count: number): Promise<Record<string, number>> {
  const random = seeded(seed);
  const outcomes: Record<string, number> = { accepted: 0 };
  let fields = randomFile(random);
  for (let i = 0; i < count; i++) {
    if (i % 20 === 0) fields = randomFile(random);
    const bytes = encodeFields(random, mutate(random, fields));
    const outcome = await outcomeOf(bytes).catch(cause => {
      throw new Error(`seed ${seed}, input ${i}, ${Buffer.from(bytes).toString('base64')}: ${cause}`, { cause });
    });
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return outcomes;
}

async function outcomeOf(bytes: Uint8Array): Promise<string> {
  const result = await openGuarded(bytes);
  if (result instanceof Error) {
    checkRefused(result);
    return result.code;
  }
  checkAccepted(result);
  return 'accepted';
}

const job: Job = workerData;
if (job.kind === 'mutate') parentPort!.postMessage(await fuzz(job.seed, job.count));
else {
  const bytes = dearFiles[job.name]?.();
  if (!bytes) throw new Error(`There is no file ${job.name}`);
  parentPort!.postMessage({ bytes: bytes.length, ...(await costOf(bytes)) });
}
