/**
 * Choices of kernels from one start to the next: `kernels.json` in Realm's home. What was chosen on another processor, by another
 * version, or for other kernels is as good as nothing. A file that cannot be read or written only costs a
 * measurement at the next start, and so does another process that writes at the same moment.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import packageFile from '../../../package.json' with { type: 'json' };
import { realmHome } from '../../home.ts';
import { type KernelPart, kernelBytes, sizesOf, variantsOf } from '../../kernels/module.ts';
import type { Choice } from './choice.ts';

/** What must be the same for a choice to hold. */
export interface Machine {
  readonly cpu: string;
  /** What the processor can do, where the system says it. */
  readonly flags: string;
  readonly platform: string;
  readonly node: string;
  readonly v8: string;
  readonly realm: string;
}

export async function thisMachine(): Promise<Machine> {
  const { cpu = cpus()[0]?.model ?? 'unknown', flags = '' } = await fromProc();
  const { platform, arch, versions } = process;
  const { node, v8 } = versions;
  return { cpu, flags, platform: `${platform} ${arch}`, node, v8, realm: packageFile.version };
}

/** The first processor's lines: the whole file takes milliseconds for each of them. */
async function fromProc(): Promise<{ cpu?: string; flags?: string }> {
  try {
    const file = await open('/proc/cpuinfo');
    const { bytesRead, buffer } = await file.read(Buffer.alloc(8192), 0, 8192, 0).finally(() => file.close());
    const text = buffer.toString('latin1', 0, bytesRead);
    const line = (name: RegExp) => name.exec(text)?.[1];
    return { cpu: line(/^model name\s*: (.*)$/m), flags: line(/^(?:flags|Features)\s*: (.*)$/m) };
  } catch {
    return {};
  }
}

/** A choice of a part, and the kernels from which it was made. */
interface Entry {
  readonly kernels: string;
  readonly variants: Choice;
}

interface Contents {
  readonly machine: Machine;
  readonly choices: Readonly<Record<string, Entry>>;
}

export class RememberedChoices {
  readonly #file: () => string;
  readonly #machine: () => Promise<Machine>;

  /** `file`: asked when it is needed, since there may be no home. */
  constructor(file = () => join(realmHome(), 'kernels.json'), machine = thisMachine) {
    this.#file = file;
    this.#machine = machine;
  }

  /** What was chosen for the part on a machine like this. */
  async recall(part: KernelPart): Promise<Choice | undefined> {
    const entry = (await this.#read(await this.#machine()))[part];
    return entry && isFor(part, entry) ? entry.variants : undefined;
  }

  /** Resolves to why it could not be remembered. */
  async remember(part: KernelPart, variants: Choice): Promise<Error | undefined> {
    try {
      const file = this.#file();
      const machine = await this.#machine();
      const choices = { ...(await this.#read(machine)), [part]: { kernels: hashOf(part), variants } };
      await replace(file, `${JSON.stringify({ machine, choices } satisfies Contents, null, 2)}\n`);
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  async #read(machine: Machine): Promise<Readonly<Record<string, Entry>>> {
    try {
      const contents = JSON.parse(await readFile(this.#file(), 'utf8')) as Contents;
      return JSON.stringify(contents.machine) === JSON.stringify(machine) ? { ...contents.choices } : {};
    } catch {
      return {};
    }
  }
}

function isFor(part: KernelPart, { kernels, variants }: Entry): boolean {
  const known = new Set(variantsOf(part).map(({ name }) => name));
  return kernels === hashOf(part) && sizesOf(part).every(size => known.has(variants?.[size] ?? ''));
}

/** Of all kernels that the choice is made from. */
function hashOf(part: KernelPart): string {
  const hash = createHash('sha256');
  for (const variant of variantsOf(part).filter(v => v.revectorize))
    for (const size of sizesOf(part)) hash.update(kernelBytes(part, size, variant));
  return hash.digest('hex').slice(0, 16);
}

/** In one step, so that nobody reads half a file. */
async function replace(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const unfinished = `${file}.${randomUUID()}.part`;
  try {
    await writeFile(unfinished, text);
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
