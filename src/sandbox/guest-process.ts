import { Worker } from 'node:worker_threads';
import { MemoryCollector } from './collector.ts';
import { GuestLoop } from './guest-loop.ts';

/** The process in which tenants' programs run: either one module is tried in it, or all tenants' guests share it. The server alone decides when it ends. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit());

const [memoryMb] = process.argv.slice(2).map(Number);
const options = memoryMb === undefined ? {} : { shared: true, memoryBytes: memoryMb * 1024 * 1024 };
const loop = new GuestLoop(batch => process.send!(batch), { ...options, collector: new MemoryCollector() });
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
