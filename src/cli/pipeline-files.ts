import { RealmError } from '../errors.ts';
import type { ServedPipeline } from '../server/pipelines/book.ts';
import type { RealmConfig } from '../tenancy/config.ts';
import { print, printJson, table } from './output.ts';

interface ListOptions {
  readonly config?: string;
  readonly url?: string;
  readonly json?: boolean;
}

interface Listed {
  readonly id: string;
  readonly description: string | null;
  readonly input: unknown;
}

export async function list({ config, url, json = false }: ListOptions): Promise<void> {
  const listed = url === undefined ? await ofFile(config) : await ofServer(url);
  if (json) return printJson(listed);
  print(table([['PIPELINE', 'WHAT'], ...listed.map(({ id, description }) => [id, description ?? ''])]));
}

async function ofServer(url: string): Promise<readonly Listed[]> {
  const { ApiClient } = await import('./api-client.ts');
  const answer = await new ApiClient(url, process.env.REALM_API_KEY).ask('GET', '/v1/pipelines');
  return (await answer.json()).data;
}

async function ofFile(path: string | undefined): Promise<readonly Listed[]> {
  if (path === undefined) throw new RealmError('usage', 'Whose? Say --config or --url.');
  const { loadConfig } = await import('../tenancy/config.ts');
  const config = await loadConfig(path);
  return (await checked(config.pipelines ?? [], config)).map(({ pipeline: { name, description, input } }) => {
    return { id: name, description: description ?? null, input };
  });
}

export async function check(
  files: readonly string[],
  { config: path, json = false }: { config?: string; json?: boolean },
): Promise<void> {
  const { loadConfig } = await import('../tenancy/config.ts');
  const served = await checked(files, path === undefined ? undefined : await loadConfig(path));
  if (json) return printJson(served.map(describe));
  for (const each of served) {
    const { file, name, steps, models, programs, tools } = describe(each);
    const names = Object.entries({ models, programs, tools }).filter(([, list]) => list.length > 0);
    const uses = names.map(([kind, list]) => `; ${kind}: ${list.join(', ')}`).join('');
    print(`${file}: ${name}, ${steps} ${steps === 1 ? 'step' : 'steps'}${uses}`);
  }
}

function describe({ file, pipeline: { name, input, steps, uses } }: ServedPipeline) {
  return { file, name, input, steps: steps.length, ...uses };
}

/** Without a configuration nobody knows which models and tools there will be. */
async function checked(places: readonly string[], config: RealmConfig | undefined): Promise<ServedPipeline[]> {
  const { resolve } = await import('node:path');
  const { createSandbox } = await import('../sandbox/sandbox.ts');
  const { loadPipelines } = await import('../server/pipelines/load.ts');
  const models = config?.models?.flatMap(({ id, aliases = [], adapters = [] }) => [
    id,
    ...aliases,
    ...adapters.map(adapter => adapter.id),
  ]);
  const sandbox = createSandbox();
  try {
    const there = {
      models,
      tools: config?.tools.map(({ name }) => name),
      programs: undefined,
      loadProgram: (name: string, bytes: Uint8Array) => sandbox.load(name, bytes),
    };
    const served = await loadPipelines(
      places.map(place => resolve(place)),
      there,
    );
    return [...served.values()];
  } finally {
    await sandbox.close();
  }
}
