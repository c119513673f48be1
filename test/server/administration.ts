/** A scripted server with a store: what operators do over HTTP. */
import { openStore } from '../../src/store/open.ts';
import { Administration } from '../../src/tenancy/administration.ts';
import { Directory, type FileEntries } from '../../src/tenancy/directory.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { type Script, scripted } from './scripted.ts';

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
  await administration.start();
  const { authenticate, authorizeAdmin } = directory;
  const made = scripted(script, {
    directory,
    authenticate,
    authorizeAdmin,
    operator: actor => administration.operator(actor),
    audit: administration.audit,
    localOnly: false,
    ...overrides,
  });
  const ask = async (method: string, path: string, body?: unknown, key = admin.key, headers = {}) => {
    const answer = await made.app.fetch(
      new Request(`http://localhost${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
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
