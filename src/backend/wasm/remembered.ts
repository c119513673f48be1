/**
 * Choices of kernels from one start to the next: `kernels.json` in Realm's home. What was chosen on another processor, by another
 * version, or for other kernels is as good as nothing. A file that cannot be read or written only costs a
 * measurement at the next start, and so does another process that writes at the same moment.
 */
import { platform } from '#platform';
import packageFile from '../../../package.json' with { type: 'json' };
import { type KernelPart, kernelBytes, sizesOf, variantsOf } from '../../kernels/module.ts';
import { hex } from '../../platform/hex.ts';
import type { MachineInfo } from '../../platform/platform.ts';
import type { Choice } from './choice.ts';

/** What must be the same for a choice to hold. */
export interface Machine extends MachineInfo {
  readonly realm: string;
}

export async function thisMachine(): Promise<Machine> {
  return { ...(await platform.machine()), realm: packageFile.version };
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
  constructor(file = () => platform.files.inHome('kernels.json'), machine = thisMachine) {
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
      const text = `${JSON.stringify({ machine, choices } satisfies Contents, null, 2)}\n`;
      await platform.files.replace(file, out => out.write(new TextEncoder().encode(text)), { makeFolder: true });
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  async #read(machine: Machine): Promise<Readonly<Record<string, Entry>>> {
    try {
      const contents = JSON.parse(await platform.files.readText(this.#file())) as Contents;
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

/** A hash of all kernels that the choice is made from first. */
function hashOf(part: KernelPart): string {
  const hash = platform.digests.sha256();
  for (const variant of variantsOf(part).filter(v => v.revectorize === platform.revectorizes))
    for (const size of sizesOf(part)) hash.update(kernelBytes(part, size, variant));
  return hex(hash.digest()).slice(0, 16);
}
