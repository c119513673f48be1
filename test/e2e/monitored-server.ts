/** A server in a process of its own that tells how long its event loop stood still: started by long-texts.test.ts. */
import { startServer } from '../../src/server/start.ts';

/** Milliseconds that this thread has computed: unlike the clock, it does not tell of what else the machine does. */
function computed(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

let last = computed();
let longest = 0;
setInterval(() => {
  const now = computed();
  longest = Math.max(longest, now - last);
  last = now;
}, 2);

const server = await startServer({ configPath: process.argv[2], port: 0 });
process.send!({ url: server.url });

/** Every message asks for the longest pause since the one before. */
process.on('message', () => {
  process.send!({ pauseMs: longest });
  longest = 0;
});
process.on('disconnect', () => process.exit());
