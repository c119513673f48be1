/** A compute thread of the pool: waits for a step, works through its share, waits again. */
import { platform } from '#platform';
import type { ThreadPort } from '../../platform/platform.ts';
import type { QuantType } from '../../quant/types.ts';
import { CommandBuffer } from './command-buffer.ts';
import { type Part, ThreadContext } from './thread-context.ts';

export interface ThreadData {
  readonly shared: ArrayBufferLike;
  readonly threads: number;
  readonly scratch: number;
  readonly types: readonly QuantType[];
  readonly maxTile: number;
}

const { thread } = platform;
const data = (thread?.data as { computeThread?: ThreadData } | undefined)?.computeThread;
if (thread && data) void work(thread, data);

async function work(port: ThreadPort, { threads, shared, scratch, types, maxTile }: ThreadData): Promise<void> {
  const context = new ThreadContext(scratch, types, maxTile);
  const commands = new CommandBuffer(threads, shared);
  port.onMessage(part => context.add(part as Part));
  port.post('ready');
  for (let seen = commands.await(0); seen > 0; seen = commands.await(seen)) {
    // They were posted before the step began; a thread that waits or works does not hear of messages.
    while (context.parts < commands.parts) await platform.nextTurn();
    commands.work(context, seen);
  }
}
