import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { allowedFile } from './folders.ts';

const base = await realpath(await mkdtemp(join(tmpdir(), 'realm-folders-')));
after(() => rm(base, { recursive: true }));
const inside = join(base, 'models');
await mkdir(join(inside, 'deep'), { recursive: true });
await mkdir(join(base, 'models-not'));
await writeFile(join(inside, 'deep', 'a.gguf'), '');
await writeFile(join(base, 'models-not', 'b.gguf'), '');
await writeFile(join(inside, '..c.gguf'), '');
await symlink(join(base, 'models-not', 'b.gguf'), join(inside, 'link.gguf'));
await symlink(inside, join(base, 'linked'));

const allowed = (path: string, folders: string[] | undefined = [inside]) => allowedFile(join(base, path), folders);

test('files in the folders are allowed, under their real names', async () => {
  assert.equal(await allowed('models/deep/a.gguf'), join(inside, 'deep', 'a.gguf'));
  assert.equal(await allowed('models-not/../models/deep/a.gguf'), join(inside, 'deep', 'a.gguf'));
  assert.equal(await allowed('linked/deep/a.gguf'), join(inside, 'deep', 'a.gguf'));
  assert.equal(await allowed('models/deep/a.gguf', [join(base, 'linked')]), join(inside, 'deep', 'a.gguf'));
  assert.equal(await allowed('models/..c.gguf'), join(inside, '..c.gguf'));
  // It is for whoever opens it to say that it is not there.
  assert.equal(await allowed('models/gone.gguf'), join(inside, 'gone.gguf'));
  const anywhere = join(base, 'models-not', 'b.gguf');
  assert.equal(await allowedFile(anywhere, undefined), anywhere);
});

test('what lies elsewhere is refused, whether it exists or not', async () => {
  const outside = [
    'models-not/b.gguf',
    'models-not/gone.gguf',
    'models',
    'models/../models-not/b.gguf',
    'models/link.gguf',
  ];
  for (const path of outside) await assert.rejects(allowed(path), { code: 'path_not_allowed' }, path);
  await assert.rejects(allowed('models/deep/a.gguf', []), { code: 'path_not_allowed' });
});
