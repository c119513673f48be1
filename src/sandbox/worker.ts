import { parentPort, workerData } from 'node:worker_threads';
import { MemoryCollector } from './collector.ts';
import { GuestRun } from './guest-run.ts';
import { BUSY, type FromWorker, type ToWorker, TURN } from './messages.ts';

/**
 * A sandbox worker: runs programs, each in an instance of its own. Programs run only while a message is handled, so
 * `pulse[BUSY]` is 1 from a message's arrival until the event loop is reached again, and `pulse[TURN]` counts the
 * turns that programs were given: the watchdog ends a worker that stays in one of them for too long.
 */
const port = parentPort!;
const pulse = new Int32Array((workerData as { pulse: SharedArrayBuffer }).pulse);
const runs = new Map<number, GuestRun>();
const collector = new MemoryCollector();
let outbox: FromWorker[] = [];
let busy = false;

const send = (message: FromWorker): void => {
  outbox.push(message);
};

const turn = (): void => {
  Atomics.add(pulse, TURN, 1);
};

/** All that a batch of messages led to leaves as one message. */
function rest(): void {
  busy = false;
  if (outbox.length > 0) port.postMessage(outbox);
  outbox = [];
  collector.collectIfWorthwhile();
  Atomics.store(pulse, BUSY, 0);
}

async function start(message: Extract<ToWorker, { kind: 'start' }>): Promise<void> {
  const run = new GuestRun(message, send, turn);
  runs.set(message.run, run);
  const outcome = await run.run();
  runs.delete(message.run);
  collector.released(run.memoryBytes);
  send({ kind: 'end', run: message.run, outcome });
}

port.on('message', (batch: ToWorker[]) => {
  turn();
  Atomics.store(pulse, BUSY, 1);
  if (!busy) setImmediate(rest);
  busy = true;
  for (const message of batch) {
    if (message.kind === 'start') void start(message);
    else runs.get(message.run)?.receive(message);
  }
});
