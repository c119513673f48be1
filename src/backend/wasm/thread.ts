/** A compute thread of the team: waits for a step, works through its share, waits again. */
import { platform } from '#platform';
import type { QuantType } from '../../quant/types.ts';
import { Program } from './commands.ts';
import { type Part, Station } from './station.ts';

export interface ThreadData {
  readonly shared: ArrayBufferLike;
  readonly threads: number;
  readonly scratch: number;
  readonly types: readonly QuantType[];
  readonly maxTile: number;
}

const { thread } = platform;
const data = (thread?.data as { computeThread?: ThreadData } | undefined)?.computeThread;
if (thread && data) {
  const station = new Station(data.scratch, data.types, data.maxTile);
  const program = new Program(data.threads, data.shared);
  thread.onMessage(part => station.add(part as Part));
  thread.post('ready');
  for (let seen = program.await(0); seen > 0; seen = program.await(seen)) {
    // They were posted before the step began; a thread that waits or works does not hear of messages.
    while (station.parts < program.parts) await platform.nextTurn();
    program.work(station);
  }
}
