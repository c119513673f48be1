import { createSandbox } from '../sandbox/sandbox.ts';
import type { Sandbox } from '../sandbox/types.ts';
import { keptAlive } from './alive.ts';

/** A sandbox that checks programs for a command; what is not used starts nothing. */
export function commandSandbox(): Pick<Sandbox, 'load' | 'run' | 'close'> {
  const sandbox = createSandbox();
  return {
    load: (...args) => keptAlive(() => sandbox.load(...args)),
    run: call => sandbox.run(call),
    close: () => keptAlive(() => sandbox.close()),
  };
}
