/** A server before a scripted engine, to be killed: `kill-server.ts REALM_YAML`. Prints where it listens; answers SIGTERM by draining. */
import { flushCompileCache } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { loadModel } from '../../src/llm/load.ts';
import { startServer } from '../../src/server/start.ts';
import { loadScripted } from '../bench/gateway/scripted-engine.ts';

/** Long answers take a while, so that a kill finds them running. */
const loader: typeof loadModel = async (...parameters) => {
  const model = await loadScripted(...parameters);
  return {
    ...model,
    async *generate(request, signal) {
      for await (const event of model.generate(request, signal)) {
        if ((request.maxTokens ?? 0) > 20) await sleep(10);
        yield event;
      }
    },
  };
};

const server = await startServer({ configPath: process.argv[2], port: 0, loader });
console.log(server.url);
// Whoever is killed writes nothing when it ends: the next one starts quicker.
flushCompileCache();
process.once('SIGTERM', async () => {
  await server.close();
  process.exit(0);
});
