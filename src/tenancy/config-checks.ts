import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { RealmError } from '../errors.ts';
import { allowedFile } from './folders.ts';
import { type Issue, pathText } from './issues.ts';
import { isProgramPath } from './program-ref.ts';
import { inputType } from './tool-input.ts';

/** What is wrong with a configuration beside the shape of its fields: in a document that may be anything. */

/** All mistakes that a schema cannot see. Paths of files are relative to `base`. */
export async function mistakesIn(raw: unknown, base: string): Promise<Issue[]> {
  return [duplicates(raw), sources(raw), references(raw), inputs(raw), await files(raw, base)].flat();
}

/** An entry of a list in a document that may be anything. */
type Loose = Record<string, unknown>;

function entries(raw: unknown, list: string): Loose[] {
  const value = (raw as Loose | null | undefined)?.[list];
  return Array.isArray(value) ? value.map(entry => (typeof entry === 'object' && entry !== null ? entry : {})) : [];
}

/** The adapters of all models, and where they stand. */
function adapters(raw: unknown): { at: (string | number)[]; adapter: Loose }[] {
  return entries(raw, 'models').flatMap((model, i) =>
    entries(model, 'adapters').map((adapter, k) => ({ at: ['models', i, 'adapters', k], adapter })),
  );
}

/** The draft models, each with its model's number. */
function drafts(models: readonly Loose[]): { model: number; draft: Loose }[] {
  return models.flatMap(({ draft }, model) =>
    typeof draft === 'object' && draft !== null ? [{ model, draft: draft as Loose }] : [],
  );
}

function duplicates(raw: unknown): Issue[] {
  const ids = (list: string) =>
    entries(raw, list).map((entry, i) => ({ path: pathText([list, i, 'id']), value: entry.id }));
  const changed = adapters(raw).map(({ at, adapter }) => ({ path: pathText([...at, 'id']), value: adapter.id }));
  const keys = entries(raw, 'tenants').flatMap((tenant, i) =>
    (Array.isArray(tenant.keys) ? tenant.keys : []).map((value, k) => ({
      path: pathText(['tenants', i, 'keys', k]),
      value,
    })),
  );
  // A request names a model, an alias or an adapter in the same field.
  const tools = entries(raw, 'tools').map(({ name }, i) => ({ path: pathText(['tools', i, 'name']), value: name }));
  return [[...ids('models'), ...aliases(raw), ...changed], ids('tenants'), tools, keys].flatMap(repeated);
}

function aliases(raw: unknown): { path: string; value: unknown }[] {
  return entries(raw, 'models').flatMap(({ aliases }, i) =>
    (Array.isArray(aliases) ? aliases : []).map((value, k) => ({
      path: pathText(['models', i, 'aliases', k]),
      value,
    })),
  );
}

/** Adapters, tenants and tools that are named and do not exist. */
function references(raw: unknown): Issue[] {
  const known = {
    adapter: adapters(raw).map(({ adapter }) => adapter.id),
    tenant: entries(raw, 'tenants').map(({ id }) => id),
    tool: entries(raw, 'tools').map(({ name }) => name),
  };
  const used = [
    ...entries(raw, 'tenants').map(({ adapter }, i) => ({
      what: 'adapter',
      at: ['tenants', i, 'adapter'],
      id: adapter,
    })),
    ...adapters(raw).flatMap(({ at, adapter }) =>
      (Array.isArray(adapter.tenants) ? adapter.tenants : []).map((id, i) => ({
        what: 'tenant',
        at: [...at, 'tenants', i],
        id,
      })),
    ),
    ...entries(raw, 'tenants').flatMap(({ tools }, i) =>
      (Array.isArray(tools) ? tools : []).map((id, k) => ({ what: 'tool', at: ['tenants', i, 'tools', k], id })),
    ),
  ] as const;
  return used.flatMap(({ what, at, id }) =>
    typeof id !== 'string' || known[what as 'tenant'].includes(id)
      ? []
      : [{ path: pathText(at), message: `there is no ${what} ${id}` }],
  );
}

function repeated(fields: readonly { path: string; value: unknown }[]): Issue[] {
  const first = new Map<unknown, string>();
  const issues: Issue[] = [];
  for (const { path, value } of fields) {
    if (typeof value !== 'string') continue;
    const earlier = first.get(value);
    if (earlier === undefined) first.set(value, path);
    else issues.push({ path, message: `is the same as ${earlier}` });
  }
  return issues;
}

function sources(raw: unknown): Issue[] {
  const places = entries(raw, 'models').flatMap((model, i) => [
    { at: ['models', i], place: model },
    ...drafts([model]).map(({ draft }) => ({ at: ['models', i, 'draft'], place: draft })),
  ]);
  const wrong = places.filter(({ place }) => (place.path === undefined) === (place.catalog === undefined));
  return [
    ...wrong.map(({ at }) => ({ path: pathText(at), message: 'must have either path or catalog' })),
    ...entries(raw, 'models').flatMap((model, i) =>
      model.draft !== undefined && model.speculation === 'off'
        ? [{ path: pathText(['models', i, 'draft']), message: 'is of no use with speculation: off' }]
        : [],
    ),
  ];
}

/** Schemas of tools that are none. */
function inputs(raw: unknown): Issue[] {
  const schemas = entries(raw, 'tools').flatMap(({ input }, i) =>
    typeof input === 'object' && input !== null ? [{ path: pathText(['tools', i, 'input']), input }] : [],
  );
  return schemas.flatMap(({ path, input }): Issue[] => {
    try {
      inputType(input);
      return [];
    } catch (error) {
      return [{ path, message: `is no JSON Schema: ${(error as Error).message}` }];
    }
  });
}

async function files(raw: unknown, base: string): Promise<Issue[]> {
  const models = entries(raw, 'models');
  const own = [
    ...entries(raw, 'tenants').map(({ program }, i) => ({
      at: ['tenants', i, 'program'],
      file: typeof program === 'string' && isProgramPath(program) ? program : undefined,
    })),
    ...models.map(({ chat_template: template }, i) => ({
      at: ['models', i, 'chat_template'],
      file: isTemplate(template) ? undefined : template,
    })),
  ];
  const weights = [
    ...models.map(({ path }, i) => ({ at: ['models', i, 'path'], file: path })),
    ...drafts(models).map(({ model, draft }) => ({ at: ['models', model, 'draft', 'path'], file: draft.path })),
    ...adapters(raw).map(({ at, adapter }) => ({ at: [...at, 'path'], file: adapter.path })),
  ];
  const folders = (raw as { server?: { folders?: unknown } } | null)?.server?.folders;
  const bounds = Array.isArray(folders) ? folders.map(folder => resolve(base, String(folder))) : undefined;
  const issues = await Promise.all([
    ...own.map(({ at, file }) => fileIssue(at, file, base, undefined)),
    ...weights.map(({ at, file }) => fileIssue(at, file, base, bounds)),
  ]);
  return issues.flat();
}

/** What is wrong with one file; it must lie in `folders` if there are any. */
export async function fileIssue(
  at: readonly PropertyKey[],
  file: unknown,
  base: string,
  folders: readonly string[] | undefined,
): Promise<Issue[]> {
  if (typeof file !== 'string' || file === '') return [];
  const path = pathText(at);
  const full = resolve(base, file);
  try {
    const found = await stat(await allowedFile(full, folders)).catch(() => undefined);
    return found?.isFile() ? [] : [{ path, message: `there is no file ${full}` }];
  } catch (error) {
    return [{ path, message: (error as RealmError).message }];
  }
}

/** No path has such brackets, and no template does without. */
export function isTemplate(text: unknown): boolean {
  return /\{[{%]/.test(String(text));
}
