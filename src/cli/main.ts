import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { asRealmError, RealmError } from '../errors.ts';
import { addAudit } from './audit.ts';
import { addBench } from './bench.ts';
import { asTyped, commandName } from './command-name.ts';
import { addConstrain } from './constrain.ts';
import { addDoctor } from './doctor.ts';
import { addInspect } from './inspect.ts';
import { addKeys } from './keys.ts';
import { addModels } from './models.ts';
import { quietBrokenPipes, visible } from './output.ts';
import { addPipeline } from './pipeline.ts';
import { addProgram } from './program.ts';
import { addRun } from './run.ts';
import { addServe } from './serve.ts';
import { addTenants } from './tenants.ts';
import { addTokenize } from './tokenize.ts';
import { addUsage } from './usage.ts';

/** One file per command; what a command needs is imported when it runs, so that `--help` is quick. */
const commands = [
  addRun,
  addServe,
  addInspect,
  addTokenize,
  addConstrain,
  addModels,
  addPipeline,
  addProgram,
  addTenants,
  addKeys,
  addUsage,
  addAudit,
  addBench,
  addDoctor,
];

const examples = `
Examples:
  $ realm run "What is the capital of France?"
  $ realm serve --model smollm2-135m --port 8080
  $ realm COMMAND --help

A model is a name of \`realm models\`, hf:OWNER/REPO[:QUANT], ollama:NAME or the path of a GGUF file. REALM_HOME (default
~/.realm) holds downloaded models; REALM_DEBUG=1 shows where an error came from.`;

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

function program(): Command {
  const realm = new Command(commandName)
    .description('Multi-tenant LLM inference: run, serve and look into GGUF models.')
    .version(version)
    .showSuggestionAfterError()
    .addHelpText('after', examples)
    .exitOverride()
    // Mistakes are reported by `fail`, once.
    .configureOutput({ writeOut: text => process.stdout.write(asTyped(text)), writeErr: () => {} });
  for (const add of commands) add(realm);
  return realm;
}

/** What to report of what commander throws; undefined when it has only shown help or the version. */
function usageError(error: CommanderError): RealmError | undefined {
  if (error.exitCode === 0) return undefined;
  const text = error.code === 'commander.help' ? 'a subcommand is missing' : error.message.replace(/^error: /, '');
  const end = text.endsWith('.') || text.endsWith('?)') ? '' : '.';
  return new RealmError(
    'usage',
    asTyped(`${text}${end} \`realm --help\` and \`realm COMMAND --help\` show what there is.`),
  );
}

function fail(error: unknown): void {
  process.exitCode = 1;
  const { code, message, cause } = asRealmError(error);
  // Whoever types the command may see the path.
  const detail = code === 'storage_failed' && cause instanceof Error ? ` (${cause.message})` : '';
  process.stderr.write(`realm: ${code}: ${visible(message + detail)}\n`);
  if (process.env.REALM_DEBUG) console.error(error);
}

quietBrokenPipes();
try {
  const args = process.argv.slice(2);
  await program().parseAsync(args.length > 0 ? args : ['--help'], { from: 'user' });
} catch (error) {
  const reported = error instanceof CommanderError ? usageError(error) : error;
  if (reported !== undefined) fail(reported);
}
