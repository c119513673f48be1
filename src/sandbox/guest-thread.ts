import { parentPort } from 'node:worker_threads';
import { MemoryCollector } from './collector.ts';
import { GuestLoop } from './guest-loop.ts';

/** The thread in which the built-in programs run. */
const port = parentPort!;
const loop = new GuestLoop(batch => port.postMessage(batch), { collector: new MemoryCollector() });
port.on('message', batch => loop.receive(batch));
