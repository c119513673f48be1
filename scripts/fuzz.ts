/**
 * Asks the server what nobody would ask, as its own description says that one may: schemathesis (from PyPI: `pip install
 * schemathesis`) against the scripted server. No answer may be a 5xx or none that the description knows.
 * `node scripts/fuzz.ts [--cases 50] [--schemathesis PATH] [-- more of its options]`
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Command } from 'commander';
import { startServer, stop } from './bench/gateway/processes.ts';
import type { ScriptedAddress } from './bench/gateway/scripted-server.ts';

interface Options {
  readonly cases: string;
  readonly schemathesis: string;
}

const checks = 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance';

async function fuzz(more: readonly string[], { cases, schemathesis }: Options): Promise<void> {
  const { child, address } = await startServer<ScriptedAddress>(0, 'scripted-server');
  const { url, keys } = address;
  const key = ['-H', `Authorization: Bearer ${keys[0]}`];
  const kinds = ['--checks', checks, '--max-examples', cases, '--phases', 'examples,coverage,fuzzing'];
  const args = ['run', `${url}/openapi.json`, ...key, ...kinds, ...more];
  const tester = spawn(schemathesis, args, { stdio: 'inherit' });
  const [code] = await once(tester, 'exit');
  await stop(child);
  process.exitCode = code ?? 1;
}

await new Command('fuzz')
  .description('Ask the server what its own description allows, and what it does not.')
  .argument('[options...]', "more of schemathesis's own")
  .option('--cases <n>', 'for each operation', '50')
  .option('--schemathesis <path>', 'its command', 'st')
  .action(fuzz)
  .parseAsync();
