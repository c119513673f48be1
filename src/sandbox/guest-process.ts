import { Worker } from 'node:worker_threads';
import { GuestLoop } from './guest-loop.ts';

/** The process in which one tenant's programs run. The server alone decides when it ends. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit());

const loop = new GuestLoop(batch => process.send!(batch));
process.on('message', batch => loop.receive(batch as Parameters<GuestLoop['receive']>[0]));

/**
 * A program that never gives way would outlive a server that was killed, since nobody looks at the channel meanwhile.
 * A thread of its own notices that the process has got another parent.
 */
const orphanWatch = `
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
  }, 1000);
`;
new Worker(orphanWatch, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 4, stackSizeMb: 1 } }).unref();
