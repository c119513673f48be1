import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GuestTransport, TransportEvents } from './guest-host.ts';
import type { ToGuest } from './messages.ts';
import { ModuleTrials } from './module-trials.ts';

/** Processes that die of modules whose first byte is 1, and refuse those whose first is 2. */
function processes() {
  const started: { compiled: string[]; forgotten: string[]; killed: boolean }[] = [];
  const start = (events: TransportEvents): GuestTransport => {
    const state = { compiled: [] as string[], forgotten: [] as string[], killed: false };
    started.push(state);
    const handle = (message: ToGuest) => {
      if (message.kind === 'forget') state.forgotten.push(message.digest);
      if (message.kind !== 'compile') return;
      state.compiled.push(message.digest);
      if (message.bytes[0] === 1) return events.failed({ kind: 'died', message: 'its process ended (SIGSEGV)' });
      const error = message.bytes[0] === 2 ? 'bad' : undefined;
      events.received({ handled: 1, messages: [{ kind: 'compiled', run: message.run, error }] });
    };
    return {
      send: batch => {
        for (const message of batch) setImmediate(handle, message);
      },
      kill: async () => {
        state.killed = true;
      },
      usage: () => undefined,
    };
  };
  return { start, started };
}

const [good, deadly, bad] = [Uint8Array.of(0), Uint8Array.of(1), Uint8Array.of(2)];

describe('trials of modules', () => {
  it('use one process as long as all goes well, and keep nothing there', async () => {
    const { start, started } = processes();
    const trials = new ModuleTrials(start);
    await Promise.all(['a', 'b', 'c'].map(digest => trials.try(digest, good)));
    assert.equal(started.length, 1);
    await trials.close();
    assert.deepEqual(started[0]?.compiled, ['a', 'b', 'c']);
    assert.deepEqual(started[0]?.forgotten.slice(0, 2), ['a', 'b']);
    assert.ok(started[0]?.killed);
  });

  it('end the process with a module that it dies of, and the next one gets another; what is refused ends nothing', async () => {
    const { start, started } = processes();
    const trials = new ModuleTrials(start);
    const failures = [trials.try('deadly', deadly), trials.try('bad', bad)];
    await assert.rejects(failures[0]!, /SIGSEGV/);
    await assert.rejects(failures[1]!, /bad/);
    await trials.try('good', good);
    assert.deepEqual(
      started.map(({ compiled }) => compiled.join()),
      ['deadly', 'bad,good'],
    );
    await trials.close();
    await assert.rejects(trials.try('late', good), { code: 'shutting_down' });
  });

  it('refuse at once what was found to be deadly', async () => {
    const { start, started } = processes();
    const trials = new ModuleTrials(start);
    trials.refuse('deadly', new Error('it kills'));
    await assert.rejects(trials.try('deadly', deadly), /it kills/);
    assert.throws(() => trials.checkRefused('deadly'), /it kills/);
    trials.checkRefused('good');
    assert.equal(started.length, 0);
    await trials.close();
  });
});
