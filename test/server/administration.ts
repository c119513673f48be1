/** A scripted server with a store: what operators do over HTTP. */
import { ProgramLibrary } from '../../src/programs/library.ts';
import { StoreProgramOperator } from '../../src/programs/operator.ts';
import { ProgramStore } from '../../src/programs/program-store.ts';
import { openStore } from '../../src/store/open.ts';
import { Administration } from '../../src/tenancy/administration.ts';
import { Directory, type FileEntries } from '../../src/tenancy/directory.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { passThrough, type Script, sandboxOf, scripted } from './scripted.ts';

type Overrides = NonNullable<Parameters<typeof scripted>[1]>;

export const admin = createKey('operator');

/** The file names an administrator's key and what else is said. */
export async function administered(script: Script, entries: FileEntries = {}, overrides: Overrides = {}) {
  const store = await openStore('memory');
  const file = { tenants: [], adminKeys: [admin.hash], ...entries };
  const directory = new Directory(file);
  const cancelled: string[] = [];
  const administration = new Administration(store, directory, file, {
    cancelled: id => cancelled.push(id),
    lost: () => {},
  });
  const { audit, follower } = administration;
  const sandbox = overrides.sandbox ?? sandboxOf(passThrough);
  const programs = new ProgramStore(store, audit, () => follower.changed());
  const library = new ProgramLibrary({ store: programs, follower, sandbox });
  administration.checkProgram = (tenant, ref) => library.check(tenant, ref);
  await administration.start();
  const { authenticate, authorizeAdmin } = directory;
  const made = scripted(script, {
    directory,
    authenticate,
    authorizeAdmin,
    operator: actor => administration.operator(actor),
    programOperator: actor => {
      const tenant = (id: string) => administration.operator(actor).tenant(id);
      return new StoreProgramOperator({ actor, store: programs, sandbox, tenant });
    },
    programOf: (tenant, named) => library.of(tenant, named),
    sandbox,
    audit,
    localOnly: false,
    ...overrides,
  });
  const ask = async (method: string, path: string, body?: unknown, key = admin.key, headers = {}) => {
    const answer = await made.app.fetch(
      new Request(`http://localhost${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, ...headers },
        ...(body !== undefined && { body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body) }),
      }),
      { remoteAddress: '127.0.0.1' },
    );
    const text = await answer.text();
    // biome-ignore lint/suspicious/noExplicitAny: the assertions check the shape
    return { status: answer.status, text, body: JSON.parse(text) as any };
  };
  const close = async () => {
    await administration.close();
    await store.close();
  };
  return { ...made, store, directory, administration, cancelled, ask, close };
}
