import type { RunningServer } from './start.ts';

/** What a program ended by Ctrl-C reports. */
const interrupted = 130;

/**
 * Waits for SIGINT or SIGTERM, then stops the server and resolves when it has stopped. Who signals a second time does
 * not want to wait for the requests that are being answered: the process exits at once.
 */
export function closeOnSignal(server: RunningServer, note: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let stopping = false;
    const onSignal = () => {
      if (stopping) process.exit(interrupted);
      stopping = true;
      note('Stopping: answers in progress may finish; once more to stop at once.');
      server.close().then(resolve, reject);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
