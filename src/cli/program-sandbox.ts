import { createSandbox } from '../sandbox/sandbox.ts';
import type { Sandbox } from '../sandbox/types.ts';

/** A sandbox for a command. Its processes keep no program alive, so the command waits for itself; what is not used starts nothing. */
export function commandSandbox(): Sandbox {
  const sandbox = createSandbox();
  const alive = setInterval(() => {}, 2 ** 30).unref();
  return {
    load: (...args) => {
      alive.ref();
      return sandbox.load(...args).finally(() => alive.unref());
    },
    run: call => sandbox.run(call),
    stats: () => sandbox.stats(),
    close: async () => {
      alive.ref();
      await sandbox.close();
      clearInterval(alive);
    },
  };
}
