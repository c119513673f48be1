/** The engine's thread: one for each loaded model. Messages in and out are typed in handle.ts. */
import { platform } from '#platform';
import { asRealmError } from '../../errors.ts';
import { Inbox } from '../../platform/mailbox.ts';
import type { ThreadPort } from '../../platform/platform.ts';
import { CompileThread } from '../constraint/compile-thread.ts';
import { infoOf } from '../engine.ts';
import { failure } from '../failure.ts';
import { EngineLoop } from '../loop.ts';
import type { EngineStats } from '../types.ts';
import { EventBatcher } from './event-batcher.ts';
import type { FromEngine, ToEngine, Wake, WorkerData, WorkerOptions } from './handle.ts';
import { Heartbeat } from './heartbeat.ts';

/** A program that asks for one token after the other is back within a millisecond. Compiled constraints and timers wait so long. */
const attendMs = 2;

const { thread } = platform;
const data = thread?.data as WorkerData | undefined;
if (thread && data?.engine) void serve(thread, data);

type Opener = Pick<typeof import('../open-model.ts'), 'openModel'>;

async function openerOf({ opener }: WorkerOptions): Promise<Opener> {
  return opener === undefined ? import('../open-model.ts') : ((await platform.importModule(opener)) as Opener);
}

async function serve(thread: ThreadPort, { engine: options, mailbox, heartbeat: shared }: WorkerData): Promise<void> {
  const send = (message: FromEngine): void => thread.post(message);
  try {
    const { openModel } = await openerOf(options);
    const { model, source, ...parts } = await openModel(options, (loaded, total) =>
      send({ kind: 'progress', loaded, total }),
    );
    const hear = (message: unknown): void => receive(loop, message as ToEngine, send);
    const inbox = mailbox && new Inbox(mailbox, hear, () => send({ kind: 'room' }));
    const batcher = new EventBatcher(events => send({ kind: 'events', events }), options.streamMs);
    const heartbeat = new Heartbeat(shared);
    const loop = new EngineLoop(model, options, events => batcher.put(events), {
      constraints: new CompileThread(options.file, tenant => {
        const { weight, maxWaiting } = loop.scheduler.shareOf(tenant);
        return { id: tenant, weight, maxQueued: maxWaiting };
      }),
      ...parts,
      heartbeat,
      onBroken: error => send({ kind: 'broken', failure: failure(error) }),
      onBrownOut: level => send({ kind: 'brownOut', level }),
      receive: () => {
        heartbeat.beat();
        batcher.tick();
        // The event loop stands still while a step runs.
        inbox?.read();
      },
      attend: inbox && (() => inbox.attend(attendMs)),
    });
    thread.onMessage(message => (inbox && message === ('wake' satisfies Wake) ? inbox.woken() : hear(message)));
    send({ kind: 'ready', info: infoOf(model, source, loop, options) });
  } catch (error) {
    send({ kind: 'failed', failure: failure(asRealmError(error)) });
  }
}

function receive(loop: EngineLoop, message: ToEngine, send: (message: FromEngine) => void): void {
  switch (message.kind) {
    case 'submit':
      return loop.submit(message.id, message.request);
    case 'cancel':
      return loop.cancel(message.id);
    case 'stats':
      return send({ kind: 'stats', stats: withHeap(loop.stats()) });
    case 'loadAdapter':
      return finish(message.call, loop.loadAdapter(message.name, message.path), send);
    case 'unloadAdapter':
      return finish(message.call, loop.unloadAdapter(message.name), send);
    case 'saveSession':
      return finish(message.call, loop.saveSession(message.request, message.tokens), send);
    case 'restoreSession':
      return finish(message.call, loop.restoreSession(message.request), send);
    case 'close':
      void loop.close().finally(() => send({ kind: 'closed' }));
      return;
    default:
      message satisfies never;
  }
}

function withHeap(stats: EngineStats): EngineStats {
  return { ...stats, memory: { ...stats.memory, heap: platform.heapBytes() } };
}

function finish(call: number, work: Promise<unknown>, send: (message: FromEngine) => void): void {
  work.then(
    result => send({ kind: 'done', call, result }),
    error => send({ kind: 'done', call, failure: failure(asRealmError(error)) }),
  );
}
