/** A compute thread of the team: waits for a step, works through its share, waits again. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { QuantType } from '../../quant/types.ts';
import { Program } from './commands.ts';
import { type Part, Station } from './station.ts';

export interface ThreadData {
  readonly shared: SharedArrayBuffer;
  readonly threads: number;
  readonly scratch: number;
  readonly types: readonly QuantType[];
  readonly maxTile: number;
}

if (parentPort && workerData?.computeThread) {
  const { shared, threads, scratch, types, maxTile } = workerData.computeThread as ThreadData;
  const station = new Station(scratch, types, maxTile);
  const program = new Program(threads, shared);
  parentPort.postMessage('ready');
  for (let seen = program.await(0); seen > 0; seen = program.await(seen)) {
    while (station.parts < program.parts) {
      // The thread never returns to its event loop: what was posted to it is fetched.
      const received = receiveMessageOnPort(parentPort);
      if (received) station.add(received.message as Part);
    }
    program.work(station);
  }
}
