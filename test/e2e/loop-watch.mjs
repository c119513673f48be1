/**
 * Loaded into a server before its own code (NODE_OPTIONS=--import): how long its event loop stands still. What is
 * measured is the thread's own computing between two ticks, so that a busy machine is no failure; SIGUSR2 writes the
 * longest stretch since the last time into the file $REALM_LOOP_FILE, in ms.
 */
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.env.REALM_LOOP_FILE) {
  const { REALM_LOOP_FILE: file } = process.env;
  delete process.env.REALM_LOOP_FILE;
  const computed = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let last = computed();
  let longest = 0;
  setInterval(() => {
    const now = computed();
    longest = Math.max(longest, now - last);
    last = now;
  }, 5).unref();
  process.on('SIGUSR2', () => {
    writeFileSync(file, String(longest));
    longest = 0;
  });
}
